"""Labelled posts to train on, read with `datasets`.

As lines of text, whose numbers an error names: its JSON reader passes over blank lines, refuses half a surrogate pair,
and makes a date of a post that is nothing but one. Streamed, so that no copy of the posts stays in a cache.
"""

import glob
from pathlib import Path
from tempfile import TemporaryDirectory

from datasets import load_dataset

from trainer.texts.dataset import Example, as_examples, parse_objects, reading


def read_training_file(path: Path) -> list[Example]:
    """Read what `trainer.texts.dataset.read_jsonl` reads. Raises DatasetError naming file and line."""
    with reading(path), path.open(), TemporaryDirectory() as locks:
        rows = load_dataset(
            "text",
            data_files=glob.escape(str(path.absolute())),
            split="train",
            streaming=True,
            encoding="utf-8-sig",
            cache_dir=locks,
        )
        lines = ((number, row["text"]) for number, row in enumerate(rows, start=1))
        return as_examples(parse_objects(path, lines))
