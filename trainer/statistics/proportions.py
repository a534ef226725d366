"""Weighted shares of rows, with intervals that hold for small samples and rare events."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Interval = tuple[float, float]
Z = 1.959964
"""Standard deviations of a 95% interval."""
Z99 = 2.575829
"""Standard deviations of a 99% interval."""
FAR = 2.0
"""A share that differs by less than this factor is not called far, however surely it differs."""


@dataclass(frozen=True)
class Share:
    """A weighted share with its interval (95% unless asked otherwise), from `rows` rows that are worth `effective` equally weighted ones."""

    mean: float
    interval: Interval
    rows: int
    effective: float

    def is_far_from(self, other: float) -> bool:
        """Whether `other` lies outside of the interval and differs from the mean by the factor FAR or more."""
        low, high = self.interval
        return not low <= other <= high and (other >= FAR * self.mean or other <= self.mean / FAR)


def wilson(share: float, n: float, *, z: float = Z) -> Interval:
    """Interval of a share observed in n draws (Wilson 1927); it has a width even at shares of 0 and 1."""
    if n <= 0:
        return (0.0, 1.0)
    middle, spread = share + z**2 / (2 * n), z * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = (middle - spread) / (1 + z**2 / n), (middle + spread) / (1 + z**2 / n)
    return (max(0.0, min(low, share)), min(1.0, max(high, share)))


def share_of(mean: float, rows: int) -> Share:
    """A share of equally weighted rows, at least one."""
    return Share(mean, wilson(mean, rows), rows, rows)


def weighted_share(
    is_so: ArrayLike, weights: ArrayLike, groups: Sequence[Any], *, z: float = Z
) -> Share | None:
    """The share of weight where `is_so` (n,); None without rows.

    Wilson's interval with the effective sample size of Kish (1965): the squared sum of the weights over the
    sum of their squares. The rows of a group count as one draw.
    """
    values, counts = np.asarray(is_so, np.float64), np.asarray(weights, np.float64)
    if not len(values):
        return None
    members = np.unique(np.asarray(groups), return_inverse=True)[1]
    by_group = np.bincount(members, counts)
    effective = float(by_group.sum() ** 2 / (by_group**2).sum())
    mean = float(values @ counts / counts.sum())
    return Share(mean, wilson(mean, effective, z=z), len(values), effective)
