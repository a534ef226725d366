"""The child processes of a round without a model: an adapter folder with a valid card, a report, an encoder.

Run as: python -m tests.workbench.worker.fake_trainer trainer.train|trainer.evaluate|workbench.worker.doubting ARGUMENTS

With the base `PATIENT` it trains or adapts until it is killed.
"""

import argparse
import json
import shutil
import sys
import threading
from pathlib import Path

from trainer.adapters.card import Base, Card, DataFile, write_card
from trainer.adapters.folders import ADAPTATION, WEIGHTS, base_files, base_fingerprint, resolve_base
from trainer.adapters.lora_config import ADAPTER_CONFIG
from trainer.config import TrainConfig
from trainer.errors import EncoderError
from trainer.files import new_folder, sha256_of, write_json
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.running import command
from trainer.running.progress import reporting
from trainer.statistics.calibration import Calibration
from trainer.statistics.evidence import Evidence
from trainer.statistics.gain import Gain

PATIENT = "patient"
NO_BERT = "no-bert"
ALIKE = Message("the two are alike")
ENOUGH = Evidence(posts=200, violations=40, linear=None, majority=Gain(0.5, 0.3, (0.1, 0.3)))


def train(options: argparse.Namespace) -> None:
    """Raises EncoderError if the base is missing, as the real one does."""
    progress = reporting(options.progress, "training")
    progress.step(1, 2)
    if options.base == PATIENT:
        threading.Event().wait()
    fingerprint = base_fingerprint(resolve_base(options.base))
    config = TrainConfig(base=options.base)
    with new_folder(options.out) as folder:
        (folder / WEIGHTS).write_bytes(b"weights" * 100)
        shape = {
            "peft_type": "LORA",
            "r": config.rank,
            "lora_alpha": config.alpha,
            "lora_dropout": config.dropout,
            "target_modules": ["query", "value"],
            "modules_to_save": ["classifier"],
        }
        write_json(folder / ADAPTER_CONFIG, shape)
        files = {name: sha256_of(folder / name) for name in (WEIGHTS, ADAPTER_CONFIG)}
        card = Card(
            created="2026-01-05T09:00:00+00:00",
            base=Base(options.base, fingerprint, "bert", 32, 2),
            labels=LABELS,
            config=config,
            data={"train": described(options.train), "validation": described(options.eval)},
            seed=0,
            versions={},
            device="cpu",
            seconds=1.0,
            posts_per_second=1.0,
            best_epoch=1,
            epochs=(),
            calibration=Calibration.identity(),
            validation=None,
            warnings=(),
            files=files,
        )
        write_card(folder, card)
    progress.close()


def described(file: Path) -> DataFile:
    return DataFile(file.name, len(file.read_bytes().splitlines()), sha256_of(file), {})


def evaluate(options: argparse.Namespace) -> None:
    """Reports enough evidence for a first adapter, and no difference from any champion."""
    rows = len(options.test.read_bytes().splitlines())
    metrics = {"n": rows, "macro_f1": 0.5, "macro_f1_interval": [0.3, 0.7]}
    report = {
        "rows": rows,
        "test_sha256": sha256_of(options.test),
        "metrics": metrics,
        "warnings": [],
        "evidence": {"test": ENOUGH.to_dict(), "out_of_fold": None},
    }
    if options.champion is not None:
        report |= {"champion": metrics, "comparison": {"outcome": "undecided", "reasons": [ALIKE.to_dict()]}}
    with new_folder(options.out) as folder:
        (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")


def doubt_nothing(_options: argparse.Namespace) -> None:
    pass


def adapt(options: argparse.Namespace) -> None:
    """Another encoder by its fingerprint, without a model; refuses the base NO_BERT and an empty corpus."""
    progress = reporting(options.progress, "adapting")
    progress.step(1, 60)
    if options.base == PATIENT:
        threading.Event().wait()
    if options.base == NO_BERT:
        raise EncoderError("{name}: has a decoder", name=options.base)
    texts = options.corpus.read_text(encoding="utf-8").splitlines()
    with new_folder(options.out) as folder:
        for file in base_files(resolve_base(options.base)):
            shutil.copyfile(file, folder / file.name)
        write_json(folder / "tokenizer_extra.json", {"adapted": True})
        facts = {"texts": len(texts), "tokens_read": 10 * len(texts), "loss_before": 7.0, "loss_after": 5.0}
        write_json(folder / ADAPTATION, facts)
    progress.close()


def main() -> int:
    parser = command.parser("fake_trainer", "Stands in for trainer.train and trainer.evaluate.")
    parser.add_argument("module", choices=WORK)
    for name in ("train", "eval", "out", "model", "test", "champion", "adapter", "corpus", "checkpoint"):
        parser.add_argument(f"--{name}", type=Path)
    parser.add_argument("--base")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=float)
    command.add_child_arguments(parser)
    options = parser.parse_args()
    return command.run(WORK[options.module], options)


WORK = {
    "trainer.train": train,
    "trainer.evaluate": evaluate,
    "trainer.adapt": adapt,
    "workbench.worker.doubting": doubt_nothing,
}


if __name__ == "__main__":
    sys.exit(main())
