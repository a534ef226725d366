"""The lanes of the queue: why a post is served, and how the lanes take turns.

Shared by live rounds and simulations. `pool_lanes` sorts the pool into lanes, `turns` gives the cycle of
lanes, and `preference` the fallbacks of a lane that is empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import count as counting
from math import gcd

import numpy as np
from numpy.typing import NDArray

from trainer.labels import Label
from trainer.selection.strategies import Embed, Positions, Probabilities, band, confidence, spread, typical

UNCERTAIN, RANDOM, VIOLATION = "uncertain", "random", "violation"
SECOND_OPINION, HELD_OUT, TYPICAL = "second_opinion", "held_out", "typical"

FALLBACK = (UNCERTAIN, TYPICAL, VIOLATION, RANDOM, HELD_OUT)
"""Lanes that take over the turn of an empty lane, in this order."""

LANE_AT_MOST = 2_000
"""Limit of the random and of the violation lane in one queue."""
AHEAD = 1_000
"""Posts at the head of a lane that are diversified: enough for a team between two rounds."""
BLOCK = 50
"""Posts that are chosen to differ from each other: what one annotator labels in some minutes."""


@dataclass(frozen=True)
class Composition:
    """Relative shares of the lanes; they need not add up to 100."""

    uncertain: int = 50
    random: int = 10
    violation: int = 10
    second_opinion: int = 10
    held_out: int = 20


@dataclass(frozen=True)
class Band:
    """The confidences that count as uncertain, and the smallest and largest size of the uncertain lane."""

    low: float = 0.4
    high: float = 0.6
    at_least: int = 200
    at_most: int = 50_000


@cache
def turns(composition: Composition) -> tuple[str, ...]:
    """One cycle of lanes, each spread as evenly as possible; its length is the sum of the shares.

    Smooth weighted round robin: in each step every lane gains its share as credit, the lane with the most
    credit is served and pays the total.
    """
    shares = {lane: share for lane, share in asdict(composition).items() if share > 0}
    total, credit, cycle = sum(shares.values()), dict.fromkeys(shares, 0), []
    for _ in range(total):
        for lane, share in shares.items():
            credit[lane] += share
        lane = max(credit, key=credit.__getitem__)
        credit[lane] -= total
        cycle.append(lane)
    return tuple(cycle)


def preference(turn: int, cycle: Sequence[str]) -> tuple[str, ...]:
    wanted = cycle[turn % len(cycle)] if cycle else UNCERTAIN
    return (wanted, *(lane for lane in FALLBACK if lane != wanted))


def pool_lanes(
    probabilities: Probabilities,
    composition: Composition,
    limits: Band,
    *,
    embed: Embed | None,
    rng: np.random.Generator,
    is_new: NDArray[np.bool_] | None = None,
    ahead: int = AHEAD,
    is_drawn: NDArray[np.bool_] | None = None,
) -> dict[str, Positions]:
    """The lanes of scored posts of the pool, (n, labels), one post of each group. The lanes are disjoint.

    The random lane is drawn first and from all posts, so that its inclusion probability is known. The
    violation lane holds likely violations outside the band. The uncertain lane holds the band and everything
    below it by margin, widened if it is short.

    `is_new` (n,) marks posts that come first within a lane, except the random one. `ahead` posts at the head
    of a lane are diversified, if there are vectors. Where not all posts were scored, `is_drawn` (n,) marks
    the random sample: the random lane takes only those and the other lanes none, so that the remainder stays
    a random sample.
    """
    shuffled = rng.permutation(len(probabilities))
    if is_drawn is not None:
        shuffled = shuffled[is_drawn[shuffled]]
    drawn = shuffled[: random_count(len(probabilities), composition)].copy()
    is_free = np.ones(len(probabilities), dtype=bool) if is_drawn is None else ~is_drawn
    is_free[drawn] = False
    rest = np.flatnonzero(is_free)
    likely = rest[_likely_violations(probabilities[rest], limits, rng)] if composition.violation else rest[:0]
    likely = _arranged(likely, is_new, ahead, embed, rng)[:LANE_AT_MOST]
    is_free[likely] = False
    rest = np.flatnonzero(is_free)
    unsure = rest[band(probabilities[rest], limits.high, at_least=limits.at_least)]
    unsure = _arranged(unsure, is_new, ahead, embed, rng)[: limits.at_most]
    return {UNCERTAIN: unsure, RANDOM: drawn, VIOLATION: likely}


def with_second_opinions(composition: Composition, percent: int) -> Composition:
    """The composition with another share of second opinions, in percent of all turns."""
    others = {lane: share for lane, share in asdict(composition).items() if lane != SECOND_OPINION}
    shares = {lane: share * (100 - percent) for lane, share in others.items()}
    shares[SECOND_OPINION] = percent * max(1, sum(others.values()))
    least = gcd(*shares.values())
    return Composition(**{lane: share // max(1, least) for lane, share in shares.items()})


COLD_TYPICAL = 100
"""Typical posts of a cold start; with as many random ones they are enough for a first model."""
COLD_SAMPLE = 2_000
"""Posts that are embedded to select the typical ones."""
COLD_AT_MOST = 50_000
"""Random posts in one queue of a cold start; a team reaches its first round long before the end."""


def at_cold_start(composition: Composition) -> Composition:
    """Before the first round: half random, half from the uncertain lane, which typical posts replace while it
    is empty.
    """
    share = composition.uncertain + composition.random + composition.violation
    return replace(composition, uncertain=share - share // 2, random=share // 2, violation=0)


def cold_lanes(posts: int, *, embed: Embed | None, rng: np.random.Generator) -> dict[str, Positions]:
    """The lanes of a pool without scores, one post of each group.

    Random posts alone would mostly repeat the most common kind.
    """
    sample = rng.permutation(posts)[:COLD_SAMPLE]
    count = min(COLD_TYPICAL, posts // 2)
    middle = sample[:0]
    if embed is not None and count:
        middle = sample[typical(embed(sample), count, rng=rng)]
    is_free = np.ones(posts, dtype=bool)
    is_free[middle] = False
    return {TYPICAL: middle, RANDOM: rng.permutation(np.flatnonzero(is_free))[:COLD_AT_MOST].copy()}


def compose(
    lanes: Mapping[str, Positions], count: int, composition: Composition, *, first_turn: int = 0
) -> list[tuple[int, str]]:
    cycle, waiting = turns(composition), {lane: iter(positions) for lane, positions in lanes.items()}
    served: list[tuple[int, str]] = []
    for turn in counting(first_turn):
        entry = _next(waiting, preference(turn, cycle)) if len(served) < count else None
        if entry is None:
            return served
        served.append(entry)
    raise AssertionError("counting never ends")


def _next(waiting: Mapping[str, Iterator[np.intp]], wanted: Sequence[str]) -> tuple[int, str] | None:
    for lane in wanted:
        position = next(waiting.get(lane, iter(())), None)
        if position is not None:
            return int(position), lane
    return None


def random_count(posts: int, composition: Composition) -> int:
    """In proportion to the pool, so that the random lane never drains a small one."""
    served = composition.uncertain + composition.random + composition.violation
    return min(LANE_AT_MOST, -(-posts * composition.random // max(1, served)))


def _likely_violations(probabilities: Probabilities, limits: Band, rng: np.random.Generator) -> Positions:
    """Posts outside the band whose most likely label is violation, in random order.

    Ordered by confidence they would repeat one advertisement and teach little (docs/active-learning.md).
    """
    is_likely = (probabilities.argmax(axis=1) == Label.VIOLATION.position) & (
        confidence(probabilities) > limits.high
    )
    return rng.permutation(np.flatnonzero(is_likely))


def _arranged(
    order: Positions,
    is_new: NDArray[np.bool_] | None,
    ahead: int,
    embed: Embed | None,
    rng: np.random.Generator,
) -> Positions:
    if is_new is not None:
        order = order[np.argsort(~is_new[order], kind="stable")]
    if embed is None:
        return order
    return spread(order, min(ahead, len(order)), block=BLOCK, embed=embed, rng=rng)
