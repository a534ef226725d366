"""Training files, read with `datasets` as a stream of our own: its readers know fewer formats, skip blank lines, whose
numbers errors name, and parse a text that is a date as a date. Streaming leaves no copy of the posts in a cache.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from datasets import Split
from datasets.io.generator import GeneratorDatasetInputStream

from trainer.reading.columns import Choice
from trainer.texts.dataset import LABELLED, Example, as_examples, read_objects, where_of


def read_training_file(path: Path, choice: Choice = LABELLED) -> list[Example]:
    """As `trainer.texts.dataset.read_jsonl`. Raises DatasetError with file and line."""
    source = {"path": path, "choice": choice}
    # `IterableDataset.from_generator` would leave a lock file in the cache of the person.
    with TemporaryDirectory() as locks:
        rows = GeneratorDatasetInputStream(
            _rows, gen_kwargs=source, cache_dir=locks, streaming=True, split=Split.TRAIN
        ).read()
        return as_examples((row["number"], where_of(path, row["number"]), row["record"]) for row in rows)


def _rows(path: Path, choice: Choice) -> Iterator[dict[str, Any]]:
    for number, _where, record in read_objects(path, choice):
        yield {"number": number, "record": record}
