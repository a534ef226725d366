"""The thresholds with the lowest expected cost: which posts pass, which are flagged, which people review.

A post passes with a violation score below `pass_below`, is flagged from `flag_from` on, and goes to a person
in between. Passing a violation costs `missed`, flagging any other post `false_alarm`, each review `look`; a
suspicious post is not a violation. The cost is a sum over the passed and the flagged posts, so the best pair
of cuts, in thousandths, is computed exactly in one pass.

With a few hundred labels and expensive mistakes, the label of a single post near a cut decides the result.
Each row therefore counts as a violation partly by its label and partly by its calibrated score: see `likely`.
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
"""Candidate thresholds. The last is above every score: all posts pass below it, none is flagged."""
NEVER = float(CUTS[-1])
TRUST = 900
"""Number of rows at which labels weigh as much as scores: the best of four mixtures on the example of
docs/thresholds.md.
"""
CHOICES = 500
"""Resamples of the choice of thresholds."""


@dataclass(frozen=True)
class Prices:
    """Costs of a passed violation, of a wrong flag and of a review, in one unit of choice."""

    missed: float
    false_alarm: float
    look: float

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True)
class Rows:
    """Labelled random posts: violation scores (n,), labels, weights, and group ids."""

    scores: Floats
    is_violation: NDArray[np.bool_]
    weights: Floats
    groups: Sequence[Any]

    def __len__(self) -> int:
        return len(self.scores)

    def members(self) -> NDArray[np.intp]:
        return np.unique(np.asarray(self.groups), return_inverse=True)[1]


@dataclass(frozen=True)
class Thresholds:
    """Two of CUTS, `pass_below` <= `flag_from`."""

    pass_below: float
    flag_from: float

    def verdicts(self, scores: ArrayLike) -> NDArray[np.intp]:
        """(n,) positions in VERDICTS."""
        values = np.asarray(scores, np.float64)
        return (values >= self.pass_below).astype(np.intp) + (values >= self.flag_from)


@dataclass(frozen=True)
class Choice:
    """The cheapest thresholds, and their 95% intervals over resamples."""

    thresholds: Thresholds
    pass_below_interval: Interval
    flag_from_interval: Interval


@dataclass(frozen=True)
class Figure:
    mean: float
    interval: Interval


@dataclass(frozen=True)
class Expected:
    """Expected cost per post and shares of all posts, with 95% intervals."""

    cost: Figure
    passed: Figure
    human: Figure
    flagged: Figure
    missed: Figure
    false_alarms: Figure
    rows: int
    violations: int


def choose(rows: Rows, prices: Prices, *, rng: np.random.Generator) -> Choice:
    """The thresholds of lowest expected cost on these rows, at least one row.

    Among equally cheap ones, those that leave most posts to people.
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
    """Cost and shares on rows that were not used to choose the thresholds, at least one row.

    Not by bootstrap: among a few hundred rows there are zero or one missed violations, and resamples of zero stay
    zero. docs/thresholds.md has the coverage.
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
    """(n,) probability that each row is a violation: its label mixed with its score, which weighs TRUST
    labels in total.
    """
    mixed: Floats = (len(rows) * rows.is_violation + TRUST * rows.scores) / (len(rows) + TRUST)
    return mixed


def thousandths(scores: ArrayLike) -> NDArray[np.intp]:
    """(n,) index of the highest cut not above each score: `score < CUTS[k]` exactly if the index is below k."""
    places: NDArray[np.intp] = np.searchsorted(CUTS, np.asarray(scores, np.float64), side="right") - 1
    return places


def _cheapest(bins: NDArray[np.intp], truth: Floats, weights: Floats, prices: Prices) -> tuple[int, int]:
    """Indices of the two cuts."""
    bad, good = (np.bincount(bins, weights * share, minlength=len(CUTS) - 1) for share in (truth, 1 - truth))
    looked = prices.look * np.concatenate([[0.0], np.cumsum(bad + good)])
    passing = prices.missed * np.concatenate([[0.0], np.cumsum(bad)]) - looked
    flagging = prices.false_alarm * np.concatenate([np.cumsum(good[::-1])[::-1], [0.0]]) + looked
    total = np.minimum.accumulate(passing) + flagging
    flag_from = len(total) - 1 - int(np.argmin(total[::-1]))
    return int(np.argmin(passing[: flag_from + 1])), flag_from


def _share(is_so: NDArray[np.bool_], rows: Rows) -> Figure:
    share = weighted_share(is_so, rows.weights, rows.groups)
    assert share is not None
    return Figure(share.mean, share.interval)


def _sum(priced: Sequence[tuple[float, Figure]]) -> Figure:
    """Priced sum of shares; its interval combines theirs (MOVER, Zou and Donner 2008)."""
    mean = sum(price * share.mean for price, share in priced)
    down, up = (
        sum((price * (share.mean - share.interval[end])) ** 2 for price, share in priced) ** 0.5
        for end in (0, 1)
    )
    return Figure(mean, (max(0.0, mean - down), mean + up))
