"""Which posts are scored where a machine is too slow for all of them. Pure.

Some are drawn at random, whatever they say: only these stand for all posts. The rest of the budget goes to what a
cheap model (`trainer.linear.proxy`) is least sure about or takes for a violation: it finds posts to label, and estimates
nothing.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.config import LABELS
from trainer.selection.strategies import margin

RANDOM_SHARE = 0.2
"""Of the budget at most, drawn at random: candidates find more to label, but held-out posts, volumes and drift need
some thousands that nobody chose."""
VIOLATION_SHARE = 0.5
"""Of the candidates, likely violations; the others are the unsure ones. Measured in docs/big-pools.md."""
SEED = 20_260_103
STEPS = (5, 2, 1)
"""Rates are one of these over a power of ten, so that they, and with them the posts drawn, stay from pass to pass."""
FINEST = 9
VIOLATION = LABELS.index("violation")

Numbers = NDArray[np.int64]


def rate(posts: int, budget: int) -> float:
    """The chance of a post to be drawn: 1 where the budget is enough for all."""
    if budget >= posts:
        return 1.0
    return _rounded(RANDOM_SHARE * budget / posts)


def is_drawn(numbers: Numbers, chance: float) -> NDArray[np.bool_]:
    """(n,) whether each post is drawn, by its number alone: told again at any time, and the same for ever.

    What is drawn with a small chance is drawn with every larger one.
    """
    return luck(numbers) < chance


def luck(numbers: Numbers) -> NDArray[np.float64]:
    """(n,) evenly spread over 0 to 1 (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        mixed = (numbers.astype(np.uint64) + np.uint64(SEED)) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)) / float(2**53)


@dataclass
class Best:
    """The `most` posts of the highest rank so far, of equals those that came first; memory for twice as many."""

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
        """Highest first."""
        self._cut()
        return self._numbers[0]

    def _cut(self) -> None:
        numbers = np.concatenate([np.empty(0, np.int64), *self._numbers])
        ranks = np.concatenate([np.empty(0, np.float32), *self._ranks])
        kept = np.lexsort((numbers, -ranks))[: self.most]
        self._numbers, self._ranks, self._held = [numbers[kept]], [ranks[kept]], len(kept)


class Picker:
    """Picks from posts that arrive in parts; memory grows with the budget, not with the posts."""

    def __init__(self, posts: int, budget: int) -> None:
        """`posts` are to come, of which `budget` at most are picked."""
        self.budget, self.rate = budget, rate(posts, budget)
        self._drawn: list[Numbers] = []
        self._kept: list[Numbers] = []
        self._unsure = Best(budget)
        self._likely = Best(round(VIOLATION_SHARE * budget))

    def draw(self, numbers: Numbers, is_kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n,) which of these posts are taken already: drawn at random, or to be kept whatever the model thinks."""
        drawn = is_drawn(numbers, self.rate)
        self._drawn.append(numbers[drawn])
        self._kept.append(numbers[is_kept & ~drawn])
        return drawn | is_kept

    def consider(self, numbers: Numbers, probabilities: NDArray[np.floating[Any]]) -> None:
        """Candidates, by what the cheap model thinks of them."""
        self._unsure.add(numbers, -margin(probabilities))
        self._likely.add(numbers, probabilities[:, VIOLATION])

    def picked(self) -> tuple[Numbers, float]:
        """The numbers in their order, and the chance by which some were drawn.

        Those kept, then candidates fill what these leave; a budget too small even for these lowers the chance.
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
    """The next lower one of STEPS over a power of ten; 0 where that is finer than any."""
    ladder = (step / 10**power for power in range(1, FINEST + 1) for step in STEPS)
    return next((found for found in ladder if found <= chance), 0.0)
