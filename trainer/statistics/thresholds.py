"""From what mistakes cost to thresholds: which posts pass, which are flagged, which people look at. Pure NumPy.

A post passes with a violation score below `pass_below`, is flagged from `flag_from` on, and in between somebody looks
at it. Passing a violation costs `missed`, flagging anything else `false_alarm`, each look `look`; a borderline post is
no violation. The cost is a sum over what passes and what is flagged, so the best pair is found exactly, among all
thousandths, in one pass.

A few hundred labels alone choose poorly where mistakes are dear: whether a violation happens to lie just below a cut
decides. So a row counts as a violation partly by its label, partly by its score, which is calibrated: see `likely`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.statistics.metrics import INTERVAL
from trainer.statistics.proportions import Interval, weighted_share

Floats = NDArray[np.float64]
Verdict = Literal["pass", "human", "flag"]
VERDICTS: tuple[Verdict, ...] = ("pass", "human", "flag")

CUTS = np.arange(1_002) / 1_000
"""Where a threshold may lie. The last is above every score: all pass below it, none is flagged from it on."""
NEVER = float(CUTS[-1])
TRUST = 900
"""Rows whose labels weigh as much as the scores: of four mixtures best on the real example of docs/thresholds.md."""
CHOICES = 500
"""Resamples in which the thresholds are chosen anew."""


@dataclass(frozen=True)
class Prices:
    """What a passed violation, a wrong flag and a human look cost, in any one unit."""

    missed: float
    false_alarm: float
    look: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True)
class Rows:
    """Labelled posts drawn at random: violation scores (n,), whether they are, what each stands for, near-copies."""

    scores: Floats
    is_violation: NDArray[np.bool_]
    weights: Floats
    groups: Sequence[Any]

    def __len__(self) -> int:
        return len(self.scores)

    def members(self) -> NDArray[np.intp]:
        """(n,) the number of each row's group."""
        return np.unique(np.asarray(self.groups), return_inverse=True)[1]


@dataclass(frozen=True)
class Thresholds:
    """Two of the cuts, the first no higher than the second."""

    pass_below: float
    flag_from: float

    def verdicts(self, scores: ArrayLike) -> NDArray[np.intp]:
        """(n,) positions in VERDICTS."""
        found = np.asarray(scores, np.float64)
        return (found >= self.pass_below).astype(np.intp) + (found >= self.flag_from)


@dataclass(frozen=True)
class Choice:
    """The cheapest thresholds, and where 95% of resamples have them."""

    thresholds: Thresholds
    pass_below_interval: Interval
    flag_from_interval: Interval


@dataclass(frozen=True)
class Figure:
    mean: float
    interval: Interval


@dataclass(frozen=True)
class Expected:
    """What thresholds bring, for one post: cost, and shares of all posts. With 95% intervals."""

    cost: Figure
    passed: Figure
    human: Figure
    flagged: Figure
    missed: Figure
    false_alarms: Figure
    rows: int
    violations: int


def choose(rows: Rows, prices: Prices, *, rng: np.random.Generator) -> Choice:
    """The cheapest thresholds for what these rows, one at least, most likely are.

    Of equals those that leave most to people.
    """
    bins, members, truth = thousandths(rows.scores), rows.members(), likely(rows)
    first = _cheapest(bins, truth, rows.weights, prices)
    groups = int(members.max()) + 1
    draws = rng.multinomial(groups, np.full(groups, 1 / groups), size=CHOICES)
    again = np.array([_cheapest(bins, truth, rows.weights * draw[members], prices) for draw in draws])
    lows, highs = np.percentile(again, INTERVAL, axis=0, method="nearest")
    return Choice(
        Thresholds(*map(float, CUTS[list(first)])),
        (float(CUTS[lows[0]]), float(CUTS[highs[0]])),
        (float(CUTS[lows[1]]), float(CUTS[highs[1]])),
    )


def expected(thresholds: Thresholds, rows: Rows, prices: Prices) -> Expected:
    """What the thresholds bring on rows that did not choose them, one row at least.

    Not by bootstrap: a few hundred rows hold one missed violation or none, and resamples of none know of none. At
    300 rows such an interval of the cost held the truth 78 times in 100, this one as often as it says.
    """
    verdicts = thresholds.verdicts(rows.scores)
    passed, human, flagged, missed, false_alarms = (
        _share(kind, rows)
        for kind in (
            verdicts == 0,
            verdicts == 1,
            verdicts == 2,
            (verdicts == 0) & rows.is_violation,
            (verdicts == 2) & ~rows.is_violation,
        )
    )
    priced = ((prices.missed, missed), (prices.false_alarm, false_alarms), (prices.look, human))
    violations = int(rows.is_violation.sum())
    return Expected(_sum(priced), passed, human, flagged, missed, false_alarms, len(rows), violations)


def likely(rows: Rows) -> Floats:
    """(n,) how likely each row is a violation: its label mixed with its score, which counts as TRUST labels in all."""
    mixed: Floats = (len(rows) * rows.is_violation + TRUST * rows.scores) / (len(rows) + TRUST)
    return mixed


def cost_of(thresholds: Thresholds, rows: Rows, prices: Prices, truth: Floats | None = None) -> float:
    """For one post, by the labels; or by how likely a violation each is, `truth` (n,)."""
    verdicts = thresholds.verdicts(rows.scores)
    share = rows.is_violation.astype(np.float64) if truth is None else truth
    missed = prices.missed * (verdicts == 0) * share
    false = prices.false_alarm * (verdicts == 2) * (1 - share)
    each: Floats = missed + false + prices.look * (verdicts == 1)
    return float(each @ rows.weights / rows.weights.sum())


def thousandths(scores: ArrayLike) -> NDArray[np.intp]:
    """(n,) the place of the highest cut that each score reaches: `score < CUTS[k]` where it is below k, and only there."""
    found: NDArray[np.intp] = np.searchsorted(CUTS, np.asarray(scores, np.float64), side="right") - 1
    return found


def _cheapest(bins: NDArray[np.intp], truth: Floats, weights: Floats, prices: Prices) -> tuple[int, int]:
    """Places of the two cuts."""
    bad, good = (np.bincount(bins, weights * share, minlength=len(CUTS) - 1) for share in (truth, 1 - truth))
    looked = prices.look * np.concatenate([[0.0], np.cumsum(bad + good)])
    passing = prices.missed * np.concatenate([[0.0], np.cumsum(bad)]) - looked
    flagging = prices.false_alarm * np.concatenate([np.cumsum(good[::-1])[::-1], [0.0]]) + looked
    total = np.minimum.accumulate(passing) + flagging
    flag_from = len(total) - 1 - int(np.argmin(total[::-1]))
    return int(np.argmin(passing[: flag_from + 1])), flag_from


def _share(is_so: NDArray[np.bool_], rows: Rows) -> Figure:
    found = weighted_share(is_so, rows.weights, rows.groups)
    assert found is not None
    return Figure(found.mean, found.interval)


def _sum(priced: Sequence[tuple[float, Figure]]) -> Figure:
    """A priced sum of shares; its interval is put together from theirs (MOVER, Zou and Donner 2008)."""
    mean = sum(price * share.mean for price, share in priced)
    down, up = (
        sum((price * (share.mean - share.interval[end])) ** 2 for price, share in priced) ** 0.5
        for end in (0, 1)
    )
    return Figure(mean, (max(0.0, mean - down), mean + up))
