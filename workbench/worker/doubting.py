"""Writes out-of-fold probabilities of a round's training rows into its folder, to list doubtful labels.

    python -m workbench.worker.doubting --train FILE --adapter DIR

A separate process, so that scikit-learn does not stay in the memory of the worker.
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

MOST_ROWS = 20_000
"""Only the last rows are examined: this many take under a minute."""


def find_doubts(train: Path, folder: Path) -> None:
    if not all("id" in record for _line, _where, record in read_objects(train)):
        return  # rows of a bundle, returned with an adopted adapter, have no ids
    rows = read_jsonl(train)[-MOST_ROWS:]
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
