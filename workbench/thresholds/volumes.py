"""How many posts get each verdict."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.statistics.thresholds import CUTS, Thresholds


@dataclass(frozen=True)
class Volumes:
    passed: int
    human: int
    flagged: int

    def __add__(self, other: "Volumes") -> "Volumes":
        return Volumes(self.passed + other.passed, self.human + other.human, self.flagged + other.flagged)

    @property
    def total(self) -> int:
        return self.passed + self.human + self.flagged


def volumes(histogram: NDArray[np.int64], thresholds: Thresholds) -> Volumes:
    """`histogram` counts posts by thousandth of the violation score."""
    first, second = (
        int(np.searchsorted(CUTS, threshold - 1e-9))
        for threshold in (thresholds.pass_below, thresholds.flag_from)
    )
    return Volumes(
        int(histogram[:first].sum()), int(histogram[first:second].sum()), int(histogram[second:].sum())
    )
