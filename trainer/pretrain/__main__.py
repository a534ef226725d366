"""Pre-train a small encoder on plain text; the command resumes after a kill.

python -m trainer.pretrain --corpus a.txt.xz=2 b.txt.gz --out models/starter --minutes 45

On several GPUs: accelerate launch -m trainer.pretrain ... with the same arguments.

Stages: text (`corpus`) -> tokenizer (`vocabulary`) -> ids (`corpus`) -> token vectors (`counts`) -> batches (`batches`)
-> encoder (`model`) -> a resumable run (`run`). A finished encoder can then learn from the sentence vectors of a larger
one: lines and vectors (`teacher`) -> batches (`taught`) -> objective (`distillation`) -> a resumable run (`distil`). Only
`adapting` imports this package: it goes on from an encoder that exists.
"""

import argparse
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from accelerate import Accelerator

from trainer.errors import DatasetError, TrainerError
from trainer.pretrain.config import PretrainConfig
from trainer.pretrain.run import begin, train
from trainer.running import command
from trainer.running.device import default_device, has_bf16

NUMBERS = {"seed": int, "vocabulary": int, "characters": int, "pieces": int, "layers": int, "width": int}
NUMBERS |= {"heads": int, "length": int, "batch_tokens": int, "pool": int}
SHARES = ("cap", "learning_rate", "mask_rate", "summary_weight")


def parse_corpus(entries: Iterable[str]) -> dict[str, float]:
    weights: dict[str, float] = {}
    for entry in entries:
        name, _, weight = entry.rpartition("=")
        if Path(entry).is_file() or not name:
            name, weight = entry, "1"
        if not re.fullmatch(r"\d+\.?\d*|\.\d+", weight):
            raise TrainerError(
                "{entry}: what follows the = must be a number, the weight of the file", entry=entry
            )
        if not Path(name).is_file():
            raise DatasetError("{name}: no such corpus file", name=name)
        weights[name] = float(weight)
    return weights


def make_parser() -> argparse.ArgumentParser:
    parser = command.parser(
        "trainer.pretrain", "Pre-train a small encoder on plain text; the same command goes on after a kill."
    )
    add, default = parser.add_argument, PretrainConfig()
    add("--corpus", nargs="+", required=True, metavar="FILE[=WEIGHT]", help="a text a line; .xz and .gz too")
    add("--exclude", nargs="*", default=[], metavar="TSV", help="leave out lines equal to a text of these")
    add("--out", type=Path, required=True, help="folder of the encoder")
    add("--checkpoint", type=Path, help="folder to go on from (default: OUT.checkpoint)")
    add("--save-every", type=float, default=5, metavar="MINUTES", help="default: 5")
    add("--cpu", action="store_true", help="leave a GPU alone")
    add("--threads", type=int, default=0, help="of the processor (default: torch decides)")
    add(
        "--precision",
        choices=("auto", "bf16", "fp32"),
        default="auto",
        help="auto: bf16 on a GPU that has it",
    )
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, default=default.minutes, help="of training (default: 60)")
    budget.add_argument("--steps", type=int)
    for name, kind in (NUMBERS | dict.fromkeys(SHARES, float)).items():
        add(f"--{name.replace('_', '-')}", type=kind, default=getattr(default, name))
    return parser


def read_config(arguments: argparse.Namespace) -> PretrainConfig:
    given = vars(arguments)
    typed = {name: given[name] for name in asdict(PretrainConfig()) if name in given}
    typed |= {"corpus": parse_corpus(given["corpus"]), "exclude": tuple(given["exclude"])}
    return PretrainConfig(**typed)


def pretrain(arguments: argparse.Namespace) -> None:
    config = read_config(arguments)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    pays = not arguments.cpu and has_bf16(default_device())
    use_bf16 = arguments.precision == "bf16" or (arguments.precision == "auto" and pays)
    accelerator = Accelerator(cpu=arguments.cpu, mixed_precision="bf16" if use_bf16 else "no")
    report = partial(print, flush=True) if accelerator.is_main_process else lambda _: None
    checkpoint = arguments.checkpoint or arguments.out.with_name(arguments.out.name + ".checkpoint")
    run = begin(config, checkpoint, accelerator, report)
    train(run, arguments.out, checkpoint, 60 * arguments.save_every, accelerator, report)


def main(argv: Sequence[str] | None = None) -> int:
    return command.run(pretrain, make_parser().parse_args(argv))


if __name__ == "__main__":
    raise SystemExit(main())
