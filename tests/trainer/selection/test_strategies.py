"""The contract of every strategy, and the preference of each on a handful of posts."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trainer.selection.strategies import (
    STRATEGIES,
    Embed,
    band,
    below_band,
    confidence,
    entropy,
    in_band,
    margin,
    spread,
    typical,
)

TIE = [0.34, 0.33, 0.33]
TWO_WAY = [0.5, 0.495, 0.005]
DOUBTFUL = [0.55, 0.25, 0.2]
SURE = [0.97, 0.02, 0.01]
POSTS = np.array([SURE, DOUBTFUL, TIE, TWO_WAY])


def no_vectors(positions: np.ndarray) -> np.ndarray:
    raise AssertionError("this strategy needs no vectors")


def embed_of(vectors: np.ndarray) -> Embed:
    return lambda positions: vectors[positions]


def some_posts(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet([1, 1, 1], count), rng.normal(size=(count, 8))


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize(("posts", "count"), [(0, 5), (1, 1), (3, 10), (40, 7), (40, 40), (200, 50)])
def test_every_strategy_gives_each_position_once_and_as_many_as_asked(
    name: str, posts: int, count: int
) -> None:
    probabilities, vectors = some_posts(posts)
    chosen = STRATEGIES[name](probabilities, count, embed=embed_of(vectors), rng=np.random.default_rng(1))
    assert len(chosen) == min(posts, count)
    assert len(set(chosen.tolist())) == len(chosen)
    assert set(chosen.tolist()) <= set(range(posts))


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_chooses_the_same_with_the_same_chance_and_leaves_its_input_alone(name: str) -> None:
    probabilities, vectors = some_posts(120)
    before = probabilities.copy(), vectors.copy()
    chosen = [
        STRATEGIES[name](probabilities, 30, embed=embed_of(vectors), rng=np.random.default_rng(5)).tolist()
        for _ in range(2)
    ]
    assert chosen[0] == chosen[1]
    assert np.array_equal(probabilities, before[0])
    assert np.array_equal(vectors, before[1])


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_copes_with_posts_that_are_all_alike(name: str) -> None:
    probabilities, vectors = np.full((30, 3), 1 / 3), np.ones((30, 4))
    chosen = STRATEGIES[name](probabilities, 10, embed=embed_of(vectors), rng=np.random.default_rng(2))
    assert len(set(chosen.tolist())) == 10


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("band", [3, 2, 1, 0]),
        ("margin", [3, 2, 1, 0]),
        ("least-confidence", [2, 3, 1, 0]),
        ("entropy", [2, 1, 3, 0]),
    ],
)
def test_what_each_is_unsure_about(name: str, expected: list[int]) -> None:
    chosen = STRATEGIES[name](POSTS, 4, embed=no_vectors, rng=np.random.default_rng(0))
    assert [POSTS[at].tolist() for at in chosen] == [POSTS[at].tolist() for at in expected]


def test_measures_of_doubt() -> None:
    assert confidence(POSTS).tolist() == [0.97, 0.55, 0.34, 0.5]
    assert margin(POSTS) == pytest.approx([0.95, 0.3, 0.01, 0.005])
    assert entropy(np.array([[1.0, 0, 0], [1 / 3] * 3])) == pytest.approx([0, np.log(3)])
    assert in_band(POSTS, 0.4, 0.6).tolist() == [False, True, False, True]
    assert below_band(POSTS, 0.4).tolist() == [False, False, True, False]


def test_the_band_takes_what_lies_below_it_and_is_widened_by_margin() -> None:
    assert set(band(POSTS, 0.6).tolist()) == {1, 2, 3}
    assert band(POSTS, 0.6, at_least=4).tolist()[-1] == 0
    assert band(POSTS[:1], 0.6).tolist() == []


@given(
    arrays(np.float64, (12, 3), elements=st.floats(0.01, 1)),
    st.integers(0, 14),
    st.integers(1, 4),
)
@example(np.array([[1.0, 0.7176933, 0.7176933], [0.5, 0.7176933, 0.7176933], *[[0.7176933] * 3] * 10]), 1, 3)
def test_spreading_loses_no_post_and_adds_none(raw: np.ndarray, count: int, block: int) -> None:
    order = np.argsort(raw[:, 0], kind="stable")
    spread_out = spread(order, count, block=block, embed=embed_of(raw), rng=np.random.default_rng(0))
    assert sorted(spread_out.tolist()) == list(range(12))


def test_a_block_holds_one_post_of_each_kind_and_the_likest_wait() -> None:
    """Ten posts of each of five kinds; the first kind is the most uncertain."""
    kinds = np.repeat(np.arange(5), 10)
    vectors = np.eye(5)[kinds] + np.random.default_rng(0).normal(scale=0.01, size=(50, 5))
    order = np.arange(50)
    spread_out = spread(order, 50, block=5, embed=embed_of(vectors), rng=np.random.default_rng(0))
    first = spread_out[:5]
    assert sorted(kinds[first].tolist()) != [0, 0, 0, 0, 0]
    assert len(set(kinds[spread_out[:25]].tolist())) >= 3
    wide = spread(order, 10, block=10, embed=embed_of(vectors), rng=np.random.default_rng(0))
    assert set(kinds[wide[:10]].tolist()) == set(range(5))


def test_typical_posts_come_from_every_cluster_the_largest_first() -> None:
    kinds = np.array([0] * 20 + [1] * 8 + [2] * 4)
    vectors = 10 * np.eye(3)[kinds] + np.random.default_rng(0).normal(scale=0.1, size=(32, 3))
    assert kinds[typical(vectors, 3, rng=np.random.default_rng(0))].tolist() == [0, 1, 2]
    assert typical(vectors[:2], 5, rng=np.random.default_rng(0)).tolist() == [0, 1]


def test_badge_passes_over_the_copy_of_what_it_has() -> None:
    vectors = np.array([[3.0, 0], [3, 0], [0, 2], [0, 2]])
    probabilities = np.full((4, 3), 1 / 3)
    chosen = STRATEGIES["badge"](
        probabilities, 2, embed=embed_of(vectors), rng=np.random.default_rng(0)
    ).tolist()
    assert chosen[0] in {0, 1}
    assert chosen[1] in {2, 3}
