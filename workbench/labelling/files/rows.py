"""A line of a label file: as it states it, and once it is understood."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from trainer.messages import Message
from trainer.reading.rows import NO_FACTS, Row


@dataclass(frozen=True)
class Names:
    """Columns or fields that a person named; None looks for the usual ones."""

    label: str = "label"
    text: str | None = None
    id: str | None = None


class Stated(NamedTuple):
    """Values as the file states them, of any type. `annotator` is set by formats in which several people judge a post."""

    id: Any
    text: Any
    label: Any
    facts: Mapping[str, str] = NO_FACTS
    time: Any = None
    annotator: Any = None
    source: Any = None


class LabelledRow(NamedTuple):
    row: Row
    label: str
    time: str | None = None
    annotator: str | None = None
    source: str | None = None


class Unknown(NamedTuple):
    """A label that the map does not name."""

    label: str


Entry: TypeAlias = LabelledRow | Unknown | Message | None
"""A usable row, an unknown label, another problem, or None for a line to leave out."""
