"""Train an adapter on JSONL files and a base encoder.

python -m trainer.train --train FILE --eval FILE --out DIR [--base NAME_OR_PATH] [--quick]

--again DIR reproduces an adapter from its card.json and the files that it was trained on. --report-to logs to
TensorBoard (folder OUT.runs), MLflow or Weights & Biases. On several GPUs: accelerate launch -m trainer.train ... with
the same arguments. After a kill, the same command resumes the training.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from trainer.adapters.card import Card, DataFile, installed_versions, read_card
from trainer.adapters.encoder import save_adapter
from trainer.adapters.folders import WEIGHTS, base_fingerprint, resolve_base, vouched_card
from trainer.config import PRESETS, TrainConfig, quick
from trainer.errors import DatasetError, TrainerError
from trainer.files import new_folder, refuse_existing, sha256_of
from trainer.fitting.calibration_rows import calibrate, plan_folds
from trainer.fitting.out_of_fold import fold_steps, out_of_fold
from trainer.fitting.processes import Processes
from trainer.fitting.training import Fit, fit
from trainer.fitting.training_file import read_training_file
from trainer.linear.folded import judge_folds, save_judged
from trainer.reading.columns import Choice
from trainer.running import command
from trainer.running.device import leave_a_core
from trainer.running.progress import Part, Progress, Silent, reporting
from trainer.running.terminal import printable
from trainer.statistics.calibration import Calibration
from trainer.statistics.evidence import Evidence
from trainer.statistics.metrics import metrics
from trainer.statistics.table import metrics_table
from trainer.statistics.vector_scaling import apply_calibration
from trainer.texts.copies import without_copies
from trainer.texts.dataset import LABELLED, Example, count_labels, group_weights
from trainer.texts.reading import choice_of

TRACKERS = {"tensorboard": ("tensorboard", "tensorboardX"), "mlflow": ("mlflow",), "wandb": ("wandb",)}
"""Choices of --report-to, each with the packages of which it needs one; none of them is a dependency."""


def train(
    train_file: Path,
    eval_file: Path,
    out: Path,
    config: TrainConfig,
    progress: Progress,
    report_to: str = "none",
    choice: Choice = LABELLED,
) -> Card:
    """Write the adapter folder `out` atomically; returns its card.

    A hidden folder beside `out` holds the checkpoints and is removed on success. Of several processes the first one
    writes. Raises DatasetError, EncoderError or TrainerError, all before training starts except for a non-finite loss.
    """
    refuse_existing(out)
    given, validation = read_training_file(train_file, choice), read_training_file(eval_file, choice)
    rows = _apart(given, validation, train_file, eval_file)
    checkpoints = out.parent / f".{out.name}.checkpoints"
    processes = Processes.current()
    fitted, calibration, judged, warnings = _fit(
        rows, validation, config, progress, processes, checkpoints, report_to
    )
    card = Card(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        base=fitted.encoder.base,
        labels=fitted.encoder.labels,
        config=config,
        data={"train": _describe(train_file, rows), "validation": _describe(eval_file, validation)},
        seed=config.seed,
        versions=installed_versions(),
        device=fitted.device,
        seconds=round(fitted.seconds, 3),
        posts_per_second=round(fitted.posts_per_second, 1),
        best_epoch=fitted.best_epoch,
        epochs=fitted.epochs,
        calibration=calibration,
        validation=_measure(fitted, calibration, validation, config.seed),
        warnings=(*_shared(len(given) - len(rows)), *warnings),
        files={},
    )
    processes.wait()  # for processes that still read a checkpoint
    if processes.is_first:
        with new_folder(out) as folder:
            card = save_adapter(folder, fitted.encoder, card)
            if judged is not None:
                save_judged(folder, judged)
        shutil.rmtree(checkpoints, ignore_errors=True)
    return card


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.train", "Train a LoRA adapter on labelled posts.")
    parser.add_argument("--train", type=Path, required=True, metavar="FILE", help="labelled posts")
    parser.add_argument(
        "--eval", type=Path, required=True, metavar="FILE", help="validation JSONL, may be empty"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new adapter folder")
    parser.add_argument("--base", metavar="NAME_OR_PATH", help="starter, an encoder's folder or a hub name")
    parser.add_argument("--quick", action="store_true", help="a trial of a few minutes")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--preset", choices=sorted(PRESETS), help="settings to begin with")
    parser.add_argument("--config", type=Path, metavar="FILE", help="training settings as JSON")
    parser.add_argument(
        "--again",
        type=Path,
        metavar="DIR",
        help="settings and seed of this adapter; refuses other data or base",
    )
    parser.add_argument(
        "--report-to",
        choices=["none", *TRACKERS],
        default="none",
        help="tracker to send losses and scores to",
    )
    command.add_reading_arguments(parser)
    command.add_child_arguments(parser)
    options = parser.parse_args(arguments)
    others = (options.config, options.quick, options.preset, options.seed is not None)
    if options.again and any(others):
        parser.error("--again takes every setting from the adapter's card; leave the others out")
    return command.run(_train, options)


def _train(options: argparse.Namespace) -> None:
    leave_a_core()
    _check_tracker(options.report_to)
    os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(options.out.with_name(f"{options.out.name}.runs")))
    is_first = Processes.current().is_first
    progress = reporting(options.progress, "training") if is_first else Silent()
    try:
        config = _config(options) if options.again is None else _config_of(options)
        choice = choice_of(options, LABELLED)
        card = train(options.train, options.eval, options.out, config, progress, options.report_to, choice)
    finally:
        progress.close()
    if not is_first:
        return
    if options.again is not None:
        print(_compare(read_card(options.again), card))
    print(printable("\n".join(_summary(options.out, card))))
    for warning in card.warnings:
        print(f"warning: {printable(warning)}", file=sys.stderr)


def _summary(out: Path, card: Card) -> Iterator[str]:
    train, validation = card.data["train"], card.data["validation"]
    labels = ", ".join(f"{count:,} {label}" for label, count in train.labels.items())
    yield f"{out}: trained on {train.rows:,} posts ({labels}) in {card.seconds:.0f} s; kept epoch {card.best_epoch}."
    if card.validation is not None:
        yield f"Figures on the {validation.rows:,} validation posts, which chose the epoch and the calibration:"
        yield metrics_table(card.validation)


def _check_tracker(name: str) -> None:
    packages = TRACKERS.get(name, ())
    if packages and not any(map(find_spec, packages)):
        raise TrainerError(
            "--report-to {name} needs {package}; run `pip install {package}`", name=name, package=packages[0]
        )


def _config(options: argparse.Namespace) -> TrainConfig:
    settings = {} if options.config is None else _read_settings(options.config)
    config = TrainConfig.from_dict(PRESETS[options.preset or "default"] | settings)
    chosen = {"base": options.base, "seed": options.seed}
    config = replace(config, **{name: value for name, value in chosen.items() if value is not None})
    return quick(config) if options.quick else config


def _config_of(options: argparse.Namespace) -> TrainConfig:
    """The settings on the card of an adapter. Raises TrainerError for other files or another base."""
    card = vouched_card(options.again)
    for name, path in (("train", options.train), ("validation", options.eval)):
        recorded = card.data.get(name)
        if recorded is None or sha256_of(path) != recorded.sha256:
            raise TrainerError(
                "{path}: not the {name} rows of {adapter} (SHA-256 differs); give those of that round",
                path=path,
                name=name,
                adapter=options.again,
            )
    base = options.base or card.config.base
    if base_fingerprint(resolve_base(base)) != card.base.fingerprint:
        raise TrainerError(
            "{base}: not the encoder under {adapter}; give the one it names with --base",
            base=base,
            adapter=options.again,
        )
    return replace(card.config, base=base)


def _compare(before: Card, after: Card) -> str:
    if before.files[WEIGHTS] == after.files[WEIGHTS]:
        return "the same weights, bit for bit"
    others = [name for name in after.versions if before.versions.get(name) != after.versions[name]]
    others += ["device"] if before.device != after.device else []
    if before.validation is None or after.validation is None:
        figures = "no validation rows to compare on"
    else:
        figures = f"validation macro-F1 {after.validation['macro_f1']:.4f}, before {before.validation['macro_f1']:.4f}"
    return f"other weights ({'other ' + ', '.join(others) if others else 'other threads or hardware'}): {figures}"


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainerError("{path}: cannot be read as JSON ({error})", path=path, error=error) from error
    if not isinstance(settings, dict):
        raise TrainerError("{path}: expected an object of settings", path=path)
    return settings


def _apart(
    rows: Sequence[Example], validation: Sequence[Example], train_file: Path, eval_file: Path
) -> list[Example]:
    """The training rows whose text is not among the validation rows. Raises DatasetError if all are."""
    apart = without_copies(rows, validation)
    if rows and not apart:
        raise DatasetError(
            "every text of {train} is also in {other}: nothing is left to train on",
            train=train_file,
            other=eval_file,
        )
    return apart


def _shared(count: int) -> tuple[str, ...]:
    if not count:
        return ()
    return (f"{count:,} training rows have the text of a validation row: they were left out of training",)


def _describe(path: Path, examples: Sequence[Example]) -> DataFile:
    return DataFile(path.name, len(examples), sha256_of(path), count_labels(examples))


def _fit(
    rows: Sequence[Example],
    validation: Sequence[Example],
    config: TrainConfig,
    progress: Progress,
    processes: Processes,
    checkpoints: Path,
    report_to: str,
) -> tuple[Fit, Calibration, Evidence | None, tuple[str, ...]]:
    """`Evidence` comes from the folds of the calibration, None without any."""
    folds, warnings = plan_folds(rows, validation, config)
    remaining_steps = fold_steps(len(rows), folds, config)
    fitted = fit(
        rows,
        validation,
        config,
        progress=Part(progress, before=0, after=remaining_steps),
        processes=processes,
        checkpoint=checkpoints / "whole",
        report_to=report_to,
    )
    folded = judged = None
    if folds:
        part = Part(progress, before=fitted.steps, after=0)
        scores = out_of_fold(
            rows,
            validation,
            config,
            folds,
            progress=part,
            processes=processes,
            checkpoints=checkpoints,
        )
        folded = (scores, rows)
        if processes.is_first:
            judged = judge_folds(rows, scores, folds, rng=np.random.default_rng(config.seed))
    calibration = calibrate((fitted.validation_logits, validation), folded)
    return fitted, calibration, judged, (*fitted.warnings, *warnings)


def _measure(
    fitted: Fit, calibration: Calibration, validation: Sequence[Example], seed: int
) -> dict[str, Any] | None:
    if not validation:
        return None
    return metrics(
        apply_calibration(fitted.validation_logits, calibration),
        [example.label for example in validation],
        group_weights(validation),
        [example.group for example in validation],
        rng=np.random.default_rng(seed),
    )


if __name__ == "__main__":
    sys.exit(main())
