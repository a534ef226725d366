"""Training files, read with `datasets`.

They are read as lines of text, whose numbers errors name: the JSON reader skips blank lines, rejects a lone surrogate
and parses a text that is a date as a date. Streaming leaves no copy of the posts in a cache.
"""

import glob
from pathlib import Path
from tempfile import TemporaryDirectory

from datasets import load_dataset

from trainer.texts.dataset import Example, as_examples, parse_objects, reading


def read_training_file(path: Path) -> list[Example]:
    """As `trainer.texts.dataset.read_jsonl`. Raises DatasetError with file and line."""
    with reading(path), path.open(), TemporaryDirectory() as locks:
        rows = load_dataset(  # nosec B615 # a local file
            "text",
            data_files=glob.escape(str(path.absolute())),
            split="train",
            streaming=True,
            encoding="utf-8-sig",
            cache_dir=locks,
        )
        lines = ((number, row["text"]) for number, row in enumerate(rows, start=1))
        return as_examples(parse_objects(path, lines))
