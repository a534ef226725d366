"""Score a file of posts with an adapter, on every GPU there is.

python -m trainer.score --model DIR --pool FILE --out DIR
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer import command
from trainer.config import LABELS
from trainer.device import leave_a_core
from trainer.files import new_folder, refuse_existing
from trainer.progress import reporting
from trainer.scorer import Scorer
from trainer.sweep import Progress, sweep
from trainer.texts import read_texts
from trainer.tokens import write_tokens


def scores_table(ids: Sequence[str], probabilities: NDArray[np.float32]) -> pa.Table:
    """Columns id, one probability by label name, label, confidence, margin."""
    ordered = np.sort(probabilities, axis=1)
    columns: dict[str, Any] = {"id": pa.array(ids, pa.string())}
    columns |= {label: probabilities[:, position] for position, label in enumerate(LABELS)}
    columns["label"] = [LABELS[position] for position in probabilities.argmax(axis=1)]
    columns["confidence"] = ordered[:, -1]
    columns["margin"] = ordered[:, -1] - ordered[:, -2]
    return pa.table(columns)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = command.parser("trainer.score", "Score a pool of posts with an adapter.")
    parser.add_argument("--model", type=Path, required=True, metavar="DIR", help="adapter folder")
    parser.add_argument("--pool", type=Path, required=True, metavar="FILE", help="TSV or JSONL with `text`")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the scores")
    command.add_child_arguments(parser)
    return command.run(_score, parser.parse_args(arguments))


def _score(options: argparse.Namespace) -> None:
    refuse_existing(options.out)
    leave_a_core()
    scorer = Scorer.load(options.model)
    names: list[str] = []

    def texts() -> Any:
        for name, text in read_texts(options.pool):
            names.append(name)
            yield text

    tokens = scorer.tokenise(texts())
    shown = reporting(options.progress, "scoring")

    def tell(progress: Progress) -> None:
        shown.step(progress.posts, progress.total)

    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "pool.arrow"
        positions = np.arange(len(tokens), dtype=np.int64)
        write_tokens(file, positions, tokens)
        del tokens
        swept = sweep(options.model, scorer, [file], positions, Path(scratch) / "sweep", on_progress=tell)
    shown.close()
    with new_folder(options.out) as folder:
        pq.write_table(scores_table(names, swept.probabilities), folder / "scores.parquet")


if __name__ == "__main__":
    sys.exit(main())
