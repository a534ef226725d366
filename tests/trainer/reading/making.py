"""Short ways to read a file of posts."""

from pathlib import Path
from typing import Any

from trainer.reading.columns import Choice
from trainer.reading.posts import Entry, open_posts
from trainer.reading.rejects import Reject
from trainer.reading.rows import Row


def read(path: Path, **choice: Any) -> list[Entry]:
    with open_posts(path, Choice(**choice)) as source:
        return list(source)


def texts(path: Path, **choice: Any) -> list[str]:
    return [entry.text for entry in read(path, **choice) if isinstance(entry, Row)]


def rejects(path: Path, **choice: Any) -> list[tuple[int, str]]:
    return [(entry.line, str(entry.reason)) for entry in read(path, **choice) if isinstance(entry, Reject)]
