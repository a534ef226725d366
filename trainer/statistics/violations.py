"""Violations that champion and challenger find when both flag the same number of posts.

A model that flags everything misses no violation, and one that flags more finds more; neither says that it tells
violations apart better. So both are read as orders of the rows by the violation score, cut after as many rows as one of
them predicts to be violations. The test is exact on the few violations that a test set has, which an interval of the
average precision is not, and it looks at the amount of work that people have today.
"""

from dataclasses import dataclass
from math import fsum

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from trainer.labels import Label

RECALL_MARGIN = 0.02
"""A loss of violation recall up to this does not count against a challenger."""
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Violations:
    """Exact two-sided McNemar test on the rows whose label is violation, with `flags` rows flagged by either model."""

    n: int
    flags: int
    gained: int
    """Violations that only the challenger flags."""
    lost: int
    """Violations that only the champion flags."""
    p_value: float
    """Unweighted: the test is exact for the drawn rows, except where scores are tied at the cut."""
    recall_difference: float
    """Challenger minus champion, weighted."""

    @property
    def is_proven_loss(self) -> bool:
        is_large = -self.recall_difference > RECALL_MARGIN
        return self.lost > self.gained and self.p_value < SIGNIFICANCE and is_large


@dataclass(frozen=True)
class AtEqualFlags:
    at_champions: Violations
    """Both flag as many rows as the champion predicts to be violations."""
    at_challengers: Violations

    @property
    def is_proven_loss(self) -> bool:
        """Proven at one number of flags, and at neither does the challenger find more."""
        both = (self.at_champions, self.at_challengers)
        return any(one.is_proven_loss for one in both) and all(one.gained <= one.lost for one in both)

    @property
    def proven(self) -> Violations:
        """The comparison that proves the loss; without one, that at the champion's number of flags."""
        both = (self.at_champions, self.at_challengers)
        return next((one for one in both if one.is_proven_loss), self.at_champions)


def at_equal_flags(
    champion: NDArray[np.floating],
    challenger: NDArray[np.floating],
    truth: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> AtEqualFlags:
    """`champion` and `challenger` are probabilities (n, 3)."""
    position = Label.VIOLATION.position
    scores = champion[:, position], challenger[:, position]
    is_violation = truth == position
    own_flags = (int((each.argmax(axis=1) == position).sum()) for each in (champion, challenger))
    return AtEqualFlags(*(_compared(*scores, is_violation, weights, flags) for flags in own_flags))


def flagged(scores: NDArray[np.floating], flags: int) -> NDArray[np.float64]:
    """(n,) the chance of each row to be among the `flags` highest scores; rows tied at the cut share what is left.

    So a model that scores all rows alike flags at random, whatever their order.
    """
    if not flags:
        return np.zeros(len(scores))
    cut = np.sort(scores)[-flags]
    is_above, is_tied = scores > cut, scores == cut
    chances: NDArray[np.float64] = np.where(is_tied, (flags - is_above.sum()) / is_tied.sum(), is_above * 1.0)
    return chances


def _compared(
    champion: NDArray[np.floating],
    challenger: NDArray[np.floating],
    is_violation: NDArray[np.bool_],
    weights: NDArray[np.float64],
    flags: int,
) -> Violations:
    before, after = (flagged(scores, flags)[is_violation] for scores in (champion, challenger))
    # Summed exactly: near a half the order of the rows would decide.
    lost, gained = (round(fsum(part)) for part in (before * (1 - after), after * (1 - before)))
    p_value = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    shares = weights[is_violation]
    change = float(((after - before) * shares).sum() / shares.sum()) if len(shares) else 0.0
    return Violations(len(shares), flags, gained, lost, p_value, change)
