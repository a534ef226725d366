"""The population stability index, against a recomputation from raw scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from trainer.statistics.drift import CHANGED, SMOOTH, in_tenths, is_chance, stability_index

counts = st.lists(st.integers(0, 50), min_size=20, max_size=20)


def by_tenths(before: ArrayLike, now: ArrayLike) -> float | None:
    return stability_index(*in_tenths(before, now))


def test_the_same_scores_have_not_moved() -> None:
    spread = np.random.default_rng(0).integers(0, 100, 1_000)
    assert by_tenths(spread, spread) == pytest.approx(0)
    assert by_tenths(spread, spread * 3) == pytest.approx(0, abs=1e-4)


def test_nothing_to_compare_with_is_no_drift() -> None:
    for index in (stability_index, by_tenths):
        assert index([0, 0], [1, 2]) is None
        assert index([1, 2], [0, 0]) is None


def test_it_is_the_sum_over_the_parts_with_half_a_post_more_in_each() -> None:
    old, new = np.array([3.5, 0.5]) / 4, np.array([1.5, 2.5]) / 4
    assert stability_index([3, 0], [1, 2]) == pytest.approx(float(((new - old) * np.log(new / old)).sum()))


@pytest.mark.parametrize(("before", "now"), [(2_000, 1), (150, 32), (2_000, 60)])
def test_samples_of_one_population_are_chance_nineteen_times_in_twenty(before: int, now: int) -> None:
    rng = np.random.default_rng(3)
    shares = np.full(10, 0.1)
    draws = zip(rng.multinomial(before, shares, 500), rng.multinomial(now, shares, 500), strict=True)
    indices = [index for old, new in draws if (index := stability_index(old, new)) is not None]
    assert np.mean([index < CHANGED or is_chance(index, before, now) for index in indices]) > 0.9


def test_an_index_of_many_posts_or_a_great_one_is_no_chance() -> None:
    assert not is_chance(0.12, 2_000, 2_000)
    assert not is_chance(1.5, 150, 32)
    assert not is_chance(0.01, 2, 2)


def test_it_is_the_sum_over_the_tenths_of_before() -> None:
    rng = np.random.default_rng(1)
    before, now = rng.random(50_000), rng.beta(2, 1, 20_000)
    bins = np.linspace(0, 1, 1_001)
    found = by_tenths(np.histogram(before, bins)[0], np.histogram(now, bins)[0])
    tenths = np.quantile(before, np.linspace(0, 1, 11))
    tenths[[0, -1]] = 0, 1
    old, new = (np.histogram(scores, tenths)[0] + SMOOTH for scores in (before, now))
    old, new = old / old.sum(), new / new.sum()
    assert found == pytest.approx(float(((new - old) * np.log(new / old)).sum()), rel=0.02)
    assert found is not None
    assert found > 0.25


@given(counts, counts)
def test_it_is_none_between_equals_and_never_below_zero(before: list[int], now: list[int]) -> None:
    for index in (stability_index, by_tenths):
        found = index(before, now)
        assert found is None or found >= 0
        assert index(before, before) in {None, 0}


@given(counts, counts)
def test_tenths_hold_what_the_bins_held(before: list[int], now: list[int]) -> None:
    old, new = in_tenths(before, now)
    assert (old.sum(), new.sum()) == (sum(before), sum(now))
    assert len(old) == len(new)
    assert len(old) <= 10 or not sum(before)


def test_scores_that_moved_further_have_the_greater_index() -> None:
    bins = np.linspace(0, 1, 1_001)
    rng = np.random.default_rng(2)
    before, near, far = (np.histogram(rng.beta(a, 3, 5_000), bins)[0] for a in (1, 1.2, 2))
    one, other = by_tenths(before, near), by_tenths(before, far)
    assert one is not None
    assert other is not None
    assert one < 0.1 < other
