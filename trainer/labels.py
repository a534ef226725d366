"""The labels in order of severity, and the majority rule."""

from collections.abc import Mapping
from enum import StrEnum


class Label(StrEnum):
    """Files and tables store the name; the position is only a column of arrays (n, labels)."""

    NORMAL = "normal"
    SUSPICIOUS = "suspicious"
    VIOLATION = "violation"

    @property
    def position(self) -> int:
        return LABELS.index(self)


LABELS: tuple[str, ...] = tuple(label.value for label in Label)
"""Names by increasing severity."""


def majority(votes: Mapping[str, int]) -> str:
    """The label with the most votes; a tie goes to the more severe one. Raises ValueError without votes."""
    return max(votes, key=lambda name: (votes[name], Label(name).position))
