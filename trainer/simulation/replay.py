"""Replay a labelled set to compare query strategies by their learning curves.

Labels are only available through `Oracle`. Posts are chosen by the code that composes the live queue
(`selection`) and learned by the trainer of live rounds (`learners`). No files: `simulate` reads and writes
them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainer.errors import TrainerError
from trainer.labels import Label
from trainer.selection.lanes import Band, Composition, at_cold_start, cold_lanes, compose, pool_lanes
from trainer.selection.strategies import STRATEGIES, Embed, Positions, Probabilities, Strategy
from trainer.texts.normalisation import group_key

DEFAULT, UNCERTAIN = "default", "uncertain"
"""Not single strategies but the queue as it is served: all its lanes, or only the uncertain one."""
FULL = "full"


@dataclass(frozen=True)
class Post:
    id: str
    text: str
    label: str


class Learned(Protocol):
    def of_pool(self, positions: Positions) -> Probabilities:
        """(k, 3) of these posts of the pool."""
        ...

    def macro_f1(self) -> float:
        """On the test set, 0 to 1."""
        ...


class Learner(Protocol):
    def learn(self, positions: Sequence[int], labels: Sequence[str], seed: int) -> Learned: ...

    def embed(self, positions: Positions) -> NDArray[np.floating]: ...


@dataclass(frozen=True)
class Plan:
    """Budget and batches of a simulation, in labels."""

    budget: int = 500
    batch: int = 50
    start: int = 100
    """Labels before the first model, chosen as at a cold start; all strategies of a seed share them."""
    candidates: int = 3_000
    """Posts drawn at random and scored for each choice, so that a large pool need not be scored."""

    def __post_init__(self) -> None:
        if not 0 < self.start <= self.budget or self.batch < 1:
            raise TrainerError(
                "a simulation needs a batch of 1 or more, and a start between 1 and the budget"
            )


@dataclass
class Oracle:
    labels: Sequence[str]
    asked: list[int] = field(default_factory=list)

    def answer(self, positions: Sequence[int]) -> list[str]:
        self.asked += positions
        return [self.labels[position] for position in positions]


@dataclass(frozen=True)
class Point:
    strategy: str
    seed: int
    labels: int
    macro_f1: float
    violations: int
    """Violations among the labelled posts so far."""
    positions: tuple[int, ...]
    """Pool positions labelled since the previous point."""
    lanes: tuple[str, ...]


@dataclass(frozen=True)
class Unlabelled:
    """The unlabelled posts of a pool; positions index them."""

    probabilities: Callable[[], Probabilities]
    embed: Embed
    size: int
    turn: int
    """Number of posts served before."""


Chooser = Callable[[Unlabelled, int, np.random.Generator], list[tuple[int, str]]]
"""At most the given number of (position, lane) pairs to label next."""


def choosers(composition: Composition, limits: Band) -> dict[str, Chooser]:
    """Every strategy by name, and the composed queue without second opinions and held-out posts."""
    queue = replace(composition, second_opinion=0, held_out=0)
    alone = Composition(1, 0, 0, 0, 0)
    single = {name: _alone(strategy) for name, strategy in STRATEGIES.items()}
    return single | {
        "random": _at_random,
        UNCERTAIN: _composed(alone, limits),
        DEFAULT: _composed(queue, limits),
    }


@dataclass(frozen=True)
class Simulation:
    pool: Sequence[Post]
    learner: Learner
    plan: Plan
    choosers: Mapping[str, Chooser]
    _first: dict[int, Learned] = field(default_factory=dict)
    """By seed: the first model, which all strategies share."""

    def run(self, strategy: str, seed: int, done: Sequence[Point], keep: Callable[[Point], None]) -> None:
        """Resume after the points in `done`; each new point is passed to `keep`."""
        oracle = Oracle([post.label for post in self.pool])
        labelled = [position for point in done for position in point.positions]
        labels = oracle.answer(labelled)
        model = self._learned(labelled, labels, seed) if done else None
        measured = len(done)
        while len(labelled) < self.plan.budget:
            rng = np.random.default_rng((seed, measured))
            chosen = self._start(rng) if model is None else self._next(strategy, model, labelled, rng)
            if not chosen:
                return
            labelled += [position for position, _ in chosen]
            labels += oracle.answer([position for position, _ in chosen])
            model = self._learned(labelled, labels, seed)
            keep(_point(strategy, seed, labels, chosen, model.macro_f1()))
            measured += 1

    def full(self, seed: int) -> Point:
        labels = [post.label for post in self.pool]
        model = self.learner.learn(range(len(self.pool)), labels, seed)
        return _point(FULL, seed, labels, [], model.macro_f1())

    @property
    def labels_of_a_run(self) -> int:
        """The budget, or the whole pool if that is smaller: copies are labelled once."""
        return min(self.plan.budget, int(self.groups.max(initial=-1)) + 1)

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """(n,) group number of each post; copies share one."""
        numbers: dict[bytes, int] = {}
        keys = (group_key(post.text) for post in self.pool)
        return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)

    def _learned(self, labelled: Sequence[int], labels: Sequence[str], seed: int) -> Learned:
        if len(labelled) != self.plan.start:
            return self.learner.learn(labelled, labels, seed)
        if seed not in self._first:
            self._first.clear()  # seeds run in sequence, and models are large
            self._first[seed] = self.learner.learn(labelled, labels, seed)
        return self._first[seed]

    def _start(self, rng: np.random.Generator) -> list[tuple[int, str]]:
        free = self._unlabelled([], rng)
        lanes = cold_lanes(len(free), embed=lambda at: self.learner.embed(free[at]), rng=rng)
        return [
            (int(free[at]), lane)
            for at, lane in compose(lanes, self.plan.start, at_cold_start(Composition(held_out=0)))
        ]

    def _next(
        self, strategy: str, model: Learned, labelled: Sequence[int], rng: np.random.Generator
    ) -> list[tuple[int, str]]:
        free = self._unlabelled(labelled, rng)[: self.plan.candidates]
        count = min(self.plan.batch, self.plan.budget - len(labelled))
        chosen = self.choosers[strategy](
            Unlabelled(
                lambda: model.of_pool(free), lambda at: self.learner.embed(free[at]), len(free), len(labelled)
            ),
            count,
            rng,
        )
        return [(int(free[at]), lane) for at, lane in chosen]

    def _unlabelled(self, labelled: Sequence[int], rng: np.random.Generator) -> Positions:
        """One post of each unlabelled group, in random order."""
        is_taken = np.zeros(self.groups.max(initial=-1) + 1, dtype=bool)
        is_taken[self.groups[labelled]] = True
        order = rng.permutation(len(self.pool))
        order = order[~is_taken[self.groups[order]]]
        _, firsts = np.unique(self.groups[order], return_index=True)
        free: Positions = order[np.sort(firsts)]
        return free


def _alone(strategy: Strategy) -> Chooser:
    def choose(posts: Unlabelled, count: int, rng: np.random.Generator) -> list[tuple[int, str]]:
        probabilities = posts.probabilities()
        return [(int(at), "") for at in strategy(probabilities, count, embed=posts.embed, rng=rng)]

    return choose


def _at_random(posts: Unlabelled, count: int, rng: np.random.Generator) -> list[tuple[int, str]]:
    """The random strategy without computing the probabilities, which it ignores."""
    return [(int(at), "") for at in rng.permutation(posts.size)[:count]]


def _composed(composition: Composition, limits: Band) -> Chooser:
    def choose(posts: Unlabelled, count: int, rng: np.random.Generator) -> list[tuple[int, str]]:
        enough = replace(limits, at_least=max(limits.at_least, count))
        lanes = pool_lanes(
            posts.probabilities(), composition, enough, embed=posts.embed, rng=rng, ahead=count
        )
        return compose(lanes, count, composition, first_turn=posts.turn)

    return choose


def _point(
    strategy: str, seed: int, labels: Sequence[str], chosen: Sequence[tuple[int, str]], macro_f1: float
) -> Point:
    positions, lanes = tuple(at for at, _ in chosen), tuple(lane for _, lane in chosen)
    return Point(
        strategy, seed, len(labels), round(macro_f1, 5), labels.count(Label.VIOLATION), positions, lanes
    )
