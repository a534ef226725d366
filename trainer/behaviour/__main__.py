"""How an adapter labels the written cases, by kind.

    python -m trainer.behaviour --model DIR [--champion DIR] [--failures | --json]

The kinds with few passes come first. `python -m trainer.evaluate` writes the same beside its report.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from trainer.behaviour.table import terminal_lines
from trainer.running import command
from trainer.running.terminal import json_text, printable


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.behaviour", "How an adapter labels the written cases, by kind.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="adapter folder")
    parser.add_argument("--champion", type=Path, metavar="DIR", help="adapter to compare with")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        "--failures", action="store_true", help="list the cases that are not labelled as expected"
    )
    shown.add_argument("--json", action="store_true", help="everything as one JSON object")
    return command.run(_behaviour, parser.parse_args(arguments))


def _behaviour(options: argparse.Namespace) -> None:
    # These import torch, which the options do not need.
    from trainer.behaviour.examination import examine  # noqa: PLC0415
    from trainer.running.device import leave_a_core  # noqa: PLC0415

    leave_a_core()
    outcome = examine(options.model, options.champion)
    if options.json:
        print(json_text(outcome.to_dict(), sys.stdout.encoding, indent=2))
        return
    print(printable("\n".join(terminal_lines(outcome, has_failures=options.failures))))


if __name__ == "__main__":
    sys.exit(main())
