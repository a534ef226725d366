"""Score a file of posts with an adapter, on all GPUs.

python -m trainer.score --model DIR --pool FILE --out DIR
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from trainer.chunks import in_chunks
from trainer.files import new_folder, refuse_existing
from trainer.labels import LABELS
from trainer.reading.columns import Choice
from trainer.running import command
from trainer.running.device import leave_a_core
from trainer.running.progress import reporting
from trainer.scoring.scorer import Scorer
from trainer.scoring.sweep import Progress, load_precision, save_precision, sweep, try_out
from trainer.texts.reading import choice_of, read_texts
from trainer.texts.tokens import write_tokens

FILE_POSTS = 200_000
"""Posts whose tokens are in memory at once."""


def scores_table(ids: Sequence[str], probabilities: NDArray[np.float32]) -> pa.Table:
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
    parser.add_argument("--pool", type=Path, required=True, metavar="FILE", help="table or JSON with a text")
    command.add_reading_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the scores")
    command.add_child_arguments(parser)
    return command.run(_score, parser.parse_args(arguments))


def _score(options: argparse.Namespace) -> None:
    refuse_existing(options.out)
    leave_a_core()
    scorer = Scorer.load(options.model)
    # Beside the result, so that a killed run can be resumed.
    scratch = options.out.parent / f".{options.out.name}.scoring"
    scratch.mkdir(parents=True, exist_ok=True)
    choice = choice_of(options)
    names, files = _tokenised(scorer, options.pool, scratch, choice)
    shown = reporting(options.progress, "scoring")

    def tell(progress: Progress) -> None:
        shown.step(progress.posts, progress.total)

    positions = np.arange(len(names), dtype=np.int64)
    precision = load_precision(scratch, options.model) or try_out(scorer, files, positions, scratch)
    save_precision(scratch, options.model, precision)
    swept = sweep(
        options.model,
        scorer,
        files,
        positions,
        scratch / "sweep",
        precision=precision,
        on_progress=tell,
    )
    shown.close()
    with new_folder(options.out) as folder:
        pq.write_table(scores_table(names, swept.probabilities), folder / "scores.parquet")
    shutil.rmtree(scratch)


def _tokenised(scorer: Scorer, pool: Path, folder: Path, choice: Choice) -> tuple[list[str], list[Path]]:
    """The ids of the posts of a file, and the files of their tokens."""
    names: list[str] = []
    files: list[Path] = []
    for some in in_chunks(read_texts(pool, choice), FILE_POSTS):
        files.append(folder / f"tokens-{len(files):04d}.arrow")
        numbers = np.arange(len(names), len(names) + len(some), dtype=np.int64)
        write_tokens(files[-1], numbers, scorer.tokenise(text for _, text in some))
        names += [name for name, _ in some]
    return names, files


if __name__ == "__main__":
    sys.exit(main())
