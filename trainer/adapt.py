"""Adapt a base encoder to texts without labels: more masked words, on a project's own posts.

python -m trainer.adapt --corpus posts.txt --out DIR [--base NAME_OR_PATH] [--minutes M]

A corpus file holds a text a line (.xz and .gz too). The same command resumes after a kill, from the folder
OUT.checkpoint.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from accelerate import Accelerator

from trainer.adapters.folders import STARTER, resolve_base
from trainer.adapting.run import MINUTES, begin, finish, go_on, settings
from trainer.errors import DatasetError
from trainer.files import refuse_existing
from trainer.running import command
from trainer.running.device import default_device, has_bf16, leave_a_core
from trainer.running.progress import reporting
from trainer.running.terminal import printable


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.adapt", "Adapt a base encoder to texts without labels.")
    add = parser.add_argument
    add(
        "--corpus", type=Path, nargs="+", required=True, metavar="FILE", help="a text a line; .xz and .gz too"
    )
    add("--out", type=Path, required=True, metavar="DIR", help="new folder of the encoder")
    add("--base", default=STARTER, metavar="NAME_OR_PATH", help="starter, an encoder's folder or a hub name")
    add("--checkpoint", type=Path, metavar="DIR", help="folder to resume from (default: OUT.checkpoint)")
    add("--save-every", type=float, default=1, metavar="MINUTES", help="default: 1")
    add("--learning-rate", type=float, default=0.0, metavar="RATE", help="default: by the encoder's width")
    add("--seed", type=int, default=0)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, default=MINUTES, help="of training (default: 7)")
    budget.add_argument("--steps", type=int)
    command.add_child_arguments(parser)
    return command.run(_adapt, parser.parse_args(arguments))


def _adapt(options: argparse.Namespace) -> None:
    leave_a_core()
    refuse_existing(options.out)
    for path in options.corpus:
        if not path.is_file():
            raise DatasetError("{name}: no such corpus file", name=path)
    config = settings(
        options.corpus,
        minutes=options.minutes,
        steps=options.steps,
        learning_rate=options.learning_rate,
        seed=options.seed,
    )
    checkpoint = options.checkpoint or options.out.with_name(options.out.name + ".checkpoint")
    device = default_device()
    accelerator = Accelerator(cpu=device.type == "cpu", mixed_precision="bf16" if has_bf16(device) else "no")
    progress = reporting(options.progress, "adapting")
    try:
        adapting = begin(config, resolve_base(options.base), options.base, checkpoint, accelerator)
        go_on(adapting, checkpoint, accelerator, progress, save_every=60 * options.save_every)
        done = finish(adapting, options.out, accelerator)
    finally:
        progress.close()
    shutil.rmtree(checkpoint, ignore_errors=True)
    before, after = done.loss_before, done.loss_after
    losses = "not measured" if before is None or after is None else f"{before:.3f} before, {after:.3f} after"
    print(
        printable(
            f"{options.out}: {done.tokens_read:,} tokens in {done.minutes:.1f} minutes; masked loss {losses}"
        )
    )


if __name__ == "__main__":
    sys.exit(main())
