"""Which posts are scored where the machine is too slow to score all of them.

A share of the budget is drawn at random, independent of the text: only these posts represent the pool. The rest are
candidates, which a cheap model (`trainer.linear.proxy`) is least sure about or takes for violations.
Candidates are posts to label; nothing is estimated from them.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.labels import Label
from trainer.selection.strategies import margin

RANDOM_SHARE = 0.2
"""Largest share of the budget that is drawn at random. Candidates bring more to label, but held-out posts,
volumes and drift need some thousands of unselected posts.
"""
VIOLATION_SHARE = 0.5
"""Share of likely violations among the candidates; the others are uncertain posts. Measured in docs/big-pools.md."""
SEED = 20_260_103
STEPS = (5, 2, 1)
"""A rate is one of these over a power of ten, so that rates, and with them the drawn posts, stay stable
between passes.
"""
FINEST = 9

Numbers = NDArray[np.int64]


def rate(posts: int, budget: int) -> float:
    if budget >= posts:
        return 1.0
    return _rounded(RANDOM_SHARE * budget / posts)


def is_drawn(numbers: Numbers, chance: float) -> NDArray[np.bool_]:
    """(n,) whether each post is drawn. Depends on its number alone, so the answer is reproducible.

    A post that is drawn at some rate is drawn at every higher rate.
    """
    return uniform(numbers) < chance


def uniform(numbers: Numbers) -> NDArray[np.float64]:
    """(n,) uniform over 0 to 1 (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = (numbers.astype(np.uint64) + np.uint64(SEED)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) / float(2**53)


@dataclass
class HighestRanked:
    """The `most` posts of highest rank seen so far, ties by number. Holds at most twice as many in memory."""

    most: int
    _numbers: list[Numbers] = field(default_factory=list)
    _ranks: list[NDArray[np.floating[Any]]] = field(default_factory=list)
    _held: int = 0

    def add(self, numbers: Numbers, ranks: NDArray[np.floating[Any]]) -> None:
        self._numbers.append(numbers)
        self._ranks.append(ranks)
        self._held += len(numbers)
        if self._held > 2 * self.most:
            self._cut()

    def first(self) -> Numbers:
        self._cut()
        return self._numbers[0]

    def _cut(self) -> None:
        numbers = np.concatenate([np.empty(0, np.int64), *self._numbers])
        ranks = np.concatenate([np.empty(0, np.float32), *self._ranks])
        top = np.lexsort((numbers, -ranks))[: self.most]
        self._numbers, self._ranks, self._held = [numbers[top]], [ranks[top]], len(top)


class Picker:
    """Picks posts from a stream of batches. Memory grows with the budget, not with the number of posts."""

    def __init__(self, posts: int, budget: int) -> None:
        """`posts` is the number to come; at most `budget` of them are picked."""
        self.budget, self.rate = budget, rate(posts, budget)
        self._drawn: list[Numbers] = []
        self._kept: list[Numbers] = []
        self._unsure = HighestRanked(budget)
        self._likely = HighestRanked(round(VIOLATION_SHARE * budget))

    def draw(self, numbers: Numbers, is_kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        drawn = is_drawn(numbers, self.rate)
        self._drawn.append(numbers[drawn])
        self._kept.append(numbers[is_kept & ~drawn])
        return drawn | is_kept

    def consider(self, numbers: Numbers, probabilities: NDArray[np.floating[Any]]) -> None:
        self._unsure.add(numbers, -margin(probabilities))
        self._likely.add(numbers, probabilities[:, Label.VIOLATION.position])

    def picked(self) -> tuple[Numbers, float]:
        """The picked numbers, sorted, and the rate of the random draw.

        Kept posts come before candidates. If the draw alone exceeds the budget, the rate is lowered.
        """
        drawn, chance = np.concatenate([np.empty(0, np.int64), *self._drawn]), self.rate
        while len(drawn) > self.budget:
            chance = _rounded(chance * 0.6)
            drawn = drawn[is_drawn(drawn, chance)]
        kept = np.concatenate([np.empty(0, np.int64), *self._kept])[: self.budget - len(drawn)]
        room = self.budget - len(drawn) - len(kept)
        likely = self._likely.first()[: round(VIOLATION_SHARE * room)]
        unsure = self._unsure.first()
        unsure = unsure[~np.isin(unsure, likely)][: room - len(likely)]
        return np.sort(np.concatenate([drawn, kept, likely, unsure])), chance


def _rounded(chance: float) -> float:
    """The next lower rate of the ladder; 0 below the smallest."""
    ladder = (step / 10**power for power in range(1, FINEST + 1) for step in STEPS)
    return next((rung for rung in ladder if rung <= chance), 0.0)
