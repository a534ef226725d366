"""Drift of scores between two periods: the population stability index."""

import numpy as np
from numpy.typing import ArrayLike

PARTS = 10
SMOOTH = 0.5
"""Added to every part: an empty one would make the index infinite."""
MOVED = 0.25
"""From 0.25 on the population counts as a different one, from 0.1 on as changed (Siddiqi 2006, ch. 9)."""


def stability_index(before: ArrayLike, now: ArrayLike) -> float | None:
    """PSI of two histograms (bins,) of counts; None if either is empty.

    The sum of (now - before) * log(now / before) over ten parts with equal counts of `before`, as nearly as
    the bins allow.
    """
    old, new = np.asarray(before, np.float64), np.asarray(now, np.float64)
    if not (old.sum() and new.sum()):
        return None
    # A bin belongs to the part in which its middle lies.
    reached = (np.cumsum(old) - old / 2) / old.sum()
    parts = np.minimum((reached * PARTS).astype(int), PARTS - 1)
    shares = []
    for counts in (old, new):
        held = np.bincount(parts, counts, minlength=PARTS)[np.unique(parts)] + SMOOTH
        shares.append(held / held.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
