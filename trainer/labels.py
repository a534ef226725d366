"""The labels in order of severity, and the majority rule."""

from collections.abc import Mapping
from enum import StrEnum


class Label(StrEnum):
    """Files and tables store the name; a position is only a place in arrays (n, labels)."""

    NORMAL = "normal"
    SUSPICIOUS = "suspicious"
    VIOLATION = "violation"

    @property
    def position(self) -> int:
        """By severity, from 0."""
        return LABELS.index(self)


LABELS: tuple[str, ...] = tuple(label.value for label in Label)
"""The names in order of severity."""


def majority(votes: Mapping[str, int]) -> str:
    """The label with the most votes, of at least one; a tie goes to the more severe label."""
    return max(votes, key=lambda name: (votes[name], Label(name).position))
