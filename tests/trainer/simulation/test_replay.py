"""A simulation reveals only requested labels, and resumes where it stopped."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from trainer.errors import TrainerError
from trainer.labels import LABELS
from trainer.selection.lanes import Band, Composition
from trainer.selection.strategies import STRATEGIES
from trainer.simulation.replay import (
    DEFAULT,
    FULL,
    UNCERTAIN,
    Learned,
    Oracle,
    Plan,
    Point,
    Post,
    Simulation,
    choosers,
)

PLAN = Plan(budget=60, batch=10, start=20, candidates=100)


def some_posts(count: int, seed: int = 0) -> list[Post]:
    rng = np.random.default_rng(seed)
    labels = rng.choice(LABELS, count, p=[0.7, 0.2, 0.1])
    return [
        Post(f"p{at}", f"第{at}个帖子{rng.integers(10**9)}", str(label)) for at, label in enumerate(labels)
    ]


class CountingLearner:
    """Predicts a post's position modulo three, more confidently with each such label it has seen."""

    def __init__(self, posts: Sequence[Post]) -> None:
        self.trained: list[int] = []
        self._vectors = np.random.default_rng(1).normal(size=(len(posts), 4))

    def embed(self, positions: np.ndarray) -> np.ndarray:
        return self._vectors[positions]

    def learn(self, positions: Sequence[int], labels: Sequence[str], seed: int) -> Learned:
        self.trained.append(len(positions))
        return Counted([labels.count(label) + 1 for label in LABELS], seed)


class Counted:
    def __init__(self, counts: list[int], seed: int) -> None:
        self._shares, self._seed = np.array(counts) / sum(counts), seed

    def of_pool(self, positions: np.ndarray) -> np.ndarray:
        mixed = self._shares + 0.3 * np.random.default_rng(self._seed).random((1_000, 3))[positions]
        return np.asarray(mixed / mixed.sum(axis=1, keepdims=True))

    def macro_f1(self) -> float:
        return float(self._shares.max())


def simulation(posts: Sequence[Post]) -> Simulation:
    return Simulation(posts, CountingLearner(posts), PLAN, choosers(Composition(), Band()))


def run(simulated: Simulation, strategy: str, seed: int = 0, done: Sequence[Point] = ()) -> list[Point]:
    points = list(done)
    simulated.run(strategy, seed, done, points.append)
    return points


@pytest.mark.parametrize("strategy", [*STRATEGIES, DEFAULT, UNCERTAIN])
def test_every_strategy_spends_the_budget_and_asks_for_no_post_twice(strategy: str) -> None:
    points = run(simulation(some_posts(300)), strategy)
    assert [point.labels for point in points] == [20, 30, 40, 50, 60]
    asked = [position for point in points for position in point.positions]
    assert len(set(asked)) == len(asked) == 60


@pytest.mark.parametrize("strategy", [*STRATEGIES, DEFAULT, UNCERTAIN])
def test_labels_that_are_never_asked_for_change_no_choice(strategy: str) -> None:
    posts = some_posts(300)
    points = run(simulation(posts), strategy)
    asked = {position for point in points for position in point.positions}
    other = {"normal": "violation", "suspicious": "normal", "violation": "suspicious"}
    scrambled = [
        post if at in asked else replace(post, label=other[post.label]) for at, post in enumerate(posts)
    ]
    assert run(simulation(scrambled), strategy) == points
    told = [  # and labels that were asked for do
        replace(post, label=other[post.label]) if at in asked else post for at, post in enumerate(posts)
    ]
    assert [p.violations for p in run(simulation(told), strategy)] != [p.violations for p in points]


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_a_run_that_was_cut_off_ends_as_it_would_have(kept: int) -> None:
    posts = some_posts(300)
    whole = run(simulation(posts), DEFAULT)
    assert run(simulation(posts), DEFAULT, done=whole[:kept]) == whole


def test_all_strategies_of_a_seed_share_their_start_and_its_model() -> None:
    posts = some_posts(300)
    simulated = simulation(posts)
    first, second = run(simulated, "random")[0], run(simulated, "margin")[0]
    assert first.positions == second.positions
    assert run(simulated, "random", seed=1)[0].positions != first.positions
    assert isinstance(simulated.learner, CountingLearner)
    assert simulated.learner.trained.count(20) == 2


def test_copies_of_a_labelled_post_are_not_asked_about() -> None:
    posts = some_posts(80)
    copies = [replace(post, id=f"{post.id}-copy", text=f"{post.text} !".replace(" ", "  ")) for post in posts]
    exact = [replace(post, text=post.text.upper() + " ") for post in posts]
    points = run(simulation([*posts, *exact, *copies]), UNCERTAIN)
    asked = {position for point in points for position in point.positions}
    assert not any(at + 80 in asked for at in asked if at < 80)


@pytest.mark.parametrize("posts", [30, 300])
def test_a_run_ends_with_the_budget_or_the_whole_pool(posts: int) -> None:
    pool = some_posts(posts)
    simulated = simulation([*pool, *pool])
    assert run(simulated, "random")[-1].labels == simulated.labels_of_a_run == min(posts, PLAN.budget)


def test_the_random_strategy_asks_for_no_probabilities() -> None:
    class Blind(CountingLearner):
        def learn(self, positions: Sequence[int], labels: Sequence[str], seed: int) -> Learned:
            found = super().learn(positions, labels, seed)
            found.of_pool = None  # type: ignore[method-assign,assignment]
            return found

    posts = some_posts(100)
    run(Simulation(posts, Blind(posts), PLAN, choosers(Composition(), Band())), "random")


def test_a_pool_smaller_than_the_budget_is_labelled_whole() -> None:
    points = run(simulation(some_posts(45)), DEFAULT)
    assert points[-1].labels == 45


def test_the_default_serves_its_lanes_and_what_lane_each_post_came_from_is_kept() -> None:
    points = run(simulation(some_posts(300)), DEFAULT)
    assert set(points[0].lanes) == {"typical", "random"}
    assert {"uncertain", "random"} <= {lane for point in points[1:] for lane in point.lanes}


def test_the_whole_pool_is_worth_something_too() -> None:
    point = simulation(some_posts(90)).full(seed=0)
    assert (point.strategy, point.labels) == (FULL, 90)


def test_the_oracle_remembers_what_it_was_asked() -> None:
    oracle = Oracle(["normal", "violation"])
    assert oracle.answer([1]) == ["violation"]
    assert oracle.asked == [1]


@pytest.mark.parametrize("wrong", [{"start": 0}, {"start": 600}, {"batch": 0}])
def test_a_plan_without_sense_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(TrainerError, match="batch"):
        Plan(**wrong)
