"""Drift of scores between two periods: the population stability index."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

TENTHS = 10
SMOOTH = 0.5
"""Added to every part: an empty one would make the index infinite."""
CHANGED = 0.1
MOVED = 0.25
"""From 0.25 on the population counts as a different one, from 0.1 on as changed (Siddiqi 2006, ch. 9)."""
CHI_SQUARE = 16.92
"""Its 95% quantile with TENTHS - 1 degrees of freedom."""


def stability_index(before: ArrayLike, now: ArrayLike) -> float | None:
    """PSI of two histograms (parts,) of counts; None if either is empty.

    The sum of (now - before) * log(now / before) over the shares of each part.
    """
    old, new = np.asarray(before, np.float64), np.asarray(now, np.float64)
    if not (old.sum() and new.sum()):
        return None
    theirs, ours = ((counts + SMOOTH) / (counts + SMOOTH).sum() for counts in (old, new))
    return float(((ours - theirs) * np.log(ours / theirs)).sum())


def is_chance(index: float, before: int, now: int) -> bool:
    """Whether an index of CHANGED or more is within what two samples of one population reach 19 times in 20.

    Then the index is (1 / before + 1 / now) times a chi-square variable (Yurdakul and Naranjo 2020).
    """
    return CHANGED <= index <= CHI_SQUARE * (1 / before + 1 / now)


def in_tenths(before: ArrayLike, now: ArrayLike) -> tuple[Floats, Floats]:
    """Two histograms (bins,) over at most ten parts with equal counts of `before`, as nearly as the bins allow."""
    old, new = np.asarray(before, np.float64), np.asarray(now, np.float64)
    if not old.sum():
        return old, new
    # A bin belongs to the part in which its middle lies.
    reached = (np.cumsum(old) - old / 2) / old.sum()
    parts = np.minimum((reached * TENTHS).astype(int), TENTHS - 1)
    held = np.unique(parts)
    return np.bincount(parts, old)[held], np.bincount(parts, new)[held]
