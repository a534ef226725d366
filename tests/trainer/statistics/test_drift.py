"""The population stability index, against a recomputation from raw scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.statistics.drift import SMOOTH, stability_index

counts = st.lists(st.integers(0, 50), min_size=20, max_size=20)


def test_the_same_scores_have_not_moved() -> None:
    spread = np.random.default_rng(0).integers(0, 100, 1_000)
    assert stability_index(spread, spread) == pytest.approx(0)
    assert stability_index(spread, spread * 3) == pytest.approx(0, abs=1e-4)


def test_nothing_to_compare_with_is_no_drift() -> None:
    assert stability_index([0, 0], [1, 2]) is None
    assert stability_index([1, 2], [0, 0]) is None


def test_it_is_the_sum_over_the_tenths_of_before() -> None:
    rng = np.random.default_rng(1)
    before, now = rng.random(50_000), rng.beta(2, 1, 20_000)
    bins = np.linspace(0, 1, 1_001)
    found = stability_index(np.histogram(before, bins)[0], np.histogram(now, bins)[0])
    tenths = np.quantile(before, np.linspace(0, 1, 11))
    tenths[[0, -1]] = 0, 1
    old, new = (np.histogram(scores, tenths)[0] + SMOOTH for scores in (before, now))
    old, new = old / old.sum(), new / new.sum()
    assert found == pytest.approx(float(((new - old) * np.log(new / old)).sum()), rel=0.02)
    assert found is not None
    assert found > 0.25


@given(counts, counts)
def test_it_is_never_below_zero(before: list[int], now: list[int]) -> None:
    found = stability_index(before, now)
    assert found is None or found >= 0


def test_scores_that_moved_further_have_the_greater_index() -> None:
    bins = np.linspace(0, 1, 1_001)
    rng = np.random.default_rng(2)
    before, near, far = (np.histogram(rng.beta(a, 3, 5_000), bins)[0] for a in (1, 1.2, 2))
    one, other = stability_index(before, near), stability_index(before, far)
    assert one is not None
    assert other is not None
    assert one < 0.1 < other
