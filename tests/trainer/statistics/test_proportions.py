"""Weighted shares of rows."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.statistics.proportions import Z99, Share, weighted_share, wilson


@given(st.integers(1, 500), st.data())
def test_the_bounds_are_the_shares_that_lie_1_96_standard_errors_away(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    share = hits / n
    for bound in wilson(share, n):
        if 1e-9 < bound < 1 - 1e-9:
            assert abs(share - bound) / sqrt(bound * (1 - bound) / n) == pytest.approx(1.959964, rel=1e-5)


def test_none_of_few_is_not_none_at_all() -> None:
    low, high = wilson(0.0, 50)
    assert low == 0
    assert 0.07 < high < 0.08  # 0.0713, as textbooks have it
    assert wilson(0.0, 0) == (0.0, 1.0)


def test_without_rows_there_is_no_share() -> None:
    assert weighted_share([], [], []) is None


def test_equal_rows_are_as_many_draws_as_there_are() -> None:
    found = weighted_share([True, False, False, False], [2.0] * 4, list("abcd"))
    assert found is not None
    assert (found.mean, found.rows, found.effective) == (0.25, 4, 4)
    assert found.interval == wilson(0.25, 4)


def test_near_copies_are_one_draw_and_unequal_weights_fewer() -> None:
    copies = weighted_share([True, True, False], [0.5, 0.5, 1.0], ["a", "a", "b"])
    assert copies is not None
    assert (copies.mean, copies.effective) == (0.5, 2)
    uneven = weighted_share([True, False], [3.0, 1.0], ["a", "b"])
    assert uneven is not None
    assert uneven.effective == pytest.approx(16 / 10)


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.01, 100), st.integers(0, 5)), min_size=1, max_size=40),
    st.floats(0.01, 100),
)
def test_the_scale_of_the_weights_does_not_matter(rows: list[tuple[bool, float, int]], scale: float) -> None:
    is_so, weights, groups = map(list, zip(*rows, strict=True))
    one = weighted_share(is_so, weights, groups)
    other = weighted_share(is_so, np.array(weights) * scale, groups)
    assert one is not None
    assert other is not None
    assert other.mean == pytest.approx(one.mean)
    assert other.effective == pytest.approx(one.effective)
    assert 0 <= one.interval[0] <= one.mean + 1e-12
    assert one.mean <= one.interval[1] + 1e-12


def test_far_is_outside_of_the_interval_and_twice_or_half() -> None:
    share = Share(0.1, (0.08, 0.3), rows=100, effective=100)
    assert [other for other in (0.0, 0.05, 0.06, 0.1, 0.2, 0.3, 0.31) if share.is_far_from(other)] == [
        0.0,
        0.05,
        0.31,
    ]
    none = Share(0.0, wilson(0.0, 50), rows=50, effective=50)
    assert [other for other in (0.0, 0.05, 0.5) if none.is_far_from(other)] == [0.5]


def test_a_surer_interval_is_wider() -> None:
    low, high = wilson(0.2, 80)
    surer = wilson(0.2, 80, z=Z99)
    assert surer[0] < low < high < surer[1]
