"""Shares of rows that do not all stand for as many, with intervals that hold for few and rare ones too. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Interval = tuple[float, float]
Z = 1.959964
"""Standard deviations of a 95% interval."""


@dataclass(frozen=True)
class Share:
    """A weighted share with its 95% interval; `rows` were looked at and tell as much as `effective` equal ones."""

    mean: float
    interval: Interval
    rows: int
    effective: float


def wilson(share: float, n: float) -> Interval:
    """The 95% interval of a share seen in n draws (Wilson 1927): honest at 0 and at 1, where others have no width."""
    if n <= 0:
        return (0.0, 1.0)
    middle, spread = share + Z**2 / (2 * n), Z * sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    low, high = (middle - spread) / (1 + Z**2 / n), (middle + spread) / (1 + Z**2 / n)
    return (max(0.0, min(low, share)), min(1.0, max(high, share)))


def weighted_share(is_so: ArrayLike, weights: ArrayLike, groups: Sequence[Any]) -> Share | None:
    """The share of weight where `is_so` (n,); None without rows.

    The interval is Wilson's with as many draws as unequal weights leave (Kish 1965: the square of their sum over the
    sum of their squares); the rows of a group are one draw.
    """
    found, counts = np.asarray(is_so, np.float64), np.asarray(weights, np.float64)
    if not len(found):
        return None
    members = np.unique(np.asarray(groups), return_inverse=True)[1]
    by_group = np.bincount(members, counts)
    effective = float(by_group.sum() ** 2 / (by_group**2).sum())
    mean = float(found @ counts / counts.sum())
    return Share(mean, wilson(mean, effective), len(found), effective)
