"""Write into a round's folder what speaks against the labels it was trained on.

    python -m workbench.worker.doubting --train FILE --adapter DIR

In a process of its own, so that scikit-learn does not stay in the worker's memory.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from trainer.errors import TrainerError
from trainer.linear.doubt import out_of_fold_probabilities
from trainer.running import command
from trainer.texts.dataset import read_jsonl, read_objects
from workbench.review.doubts import write_doubts

DOUBTED = 20_000
"""Training rows whose labels are looked at, the last ones: with so many it takes under a minute."""


def find_doubts(train: Path, folder: Path) -> None:
    """Write the doubts of these training rows into the folder; nothing where the rows are too few."""
    if not all("id" in record for _line, _where, record in read_objects(train)):
        return  # rows that were sent away and came back with an adapter do not say whose they are
    rows = read_jsonl(train)[-DOUBTED:]
    try:
        probabilities = out_of_fold_probabilities(rows)
    except TrainerError as error:
        logging.warning("no labels are doubted: %s", error)
        return
    write_doubts(folder, [row.id for row in rows], [row.label for row in rows], probabilities)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("workbench.worker.doubting", "Look which labels of a round are doubtful.")
    parser.add_argument(
        "--train", type=Path, required=True, metavar="FILE", help="the rows it was trained on"
    )
    parser.add_argument("--adapter", type=Path, required=True, metavar="DIR", help="the round's folder")
    command.add_child_arguments(parser)
    return command.run(_find, parser.parse_args(arguments))


def _find(options: argparse.Namespace) -> None:
    find_doubts(options.train, options.adapter)


if __name__ == "__main__":
    sys.exit(main())
