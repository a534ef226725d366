"""The cheapest pair of thresholds, and its cost on rows that did not choose it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.statistics.thresholds import (
    CUTS,
    NEVER,
    Prices,
    Rows,
    Thresholds,
    choose,
    expected,
    likely,
    thousandths,
)

PRICES = Prices(missed=20, false_alarm=5, look=1)

some_rows = st.lists(
    st.tuples(st.floats(0, 1, width=32), st.booleans(), st.floats(0.1, 10), st.integers(0, 20)),
    min_size=1,
    max_size=30,
)
some_prices = st.builds(Prices, *[st.integers(0, 50).map(float)] * 3)


def made(rows: list[tuple[float, bool, float, int]]) -> Rows:
    scores, is_violation, weights, groups = zip(*rows, strict=True)
    return Rows(np.array(scores), np.array(is_violation), np.array(weights), groups)


def drawn(n: int, seed: int = 0) -> Rows:
    """Calibrated: a post is a violation as often as its score says."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(0.3, 1.5, n)
    return Rows(scores, rng.random(n) < scores, np.ones(n), range(n))


def cost_of(
    thresholds: Thresholds, rows: Rows, prices: Prices, truth: NDArray[np.float64] | None = None
) -> float:
    """For one post, by the labels; or by how likely a violation each is, `truth` (n,)."""
    verdicts = thresholds.verdicts(rows.scores)
    share = rows.is_violation.astype(np.float64) if truth is None else truth
    missed = prices.missed * (verdicts == 0) * share
    false = prices.false_alarm * (verdicts == 2) * (1 - share)
    each = missed + false + prices.look * (verdicts == 1)
    return float(each @ rows.weights / rows.weights.sum())


def best(rows: Rows, prices: Prices) -> Thresholds:
    return choose(rows, prices, rng=np.random.default_rng(0)).thresholds


@settings(max_examples=60, deadline=None)
@given(some_rows, some_prices, st.integers(0, 1001), st.integers(0, 1001))
def test_no_other_pair_of_cuts_is_cheaper(
    rows: list[tuple[float, bool, float, int]], prices: Prices, one: int, other: int
) -> None:
    pair = Thresholds(float(CUTS[min(one, other)]), float(CUTS[max(one, other)]))
    known = made(rows)
    found = cost_of(best(known, prices), known, prices, likely(known))
    assert found <= cost_of(pair, known, prices, likely(known)) + 1e-9


def test_nor_is_any_at_all_on_a_few_rows() -> None:
    rows = Rows(
        np.array([0.0, 0.02, 0.02, 0.05, 0.3, 0.97, 1.0]),
        np.array([False, False, True, False, True, False, True]),
        np.array([9.0, 4, 0.5, 1, 2, 1, 3]),
        range(7),
    )
    pairs = [
        Thresholds(float(low), float(high))
        for low in CUTS[::10]
        for high in [*CUTS[::10], NEVER]
        if low <= high
    ]
    cheapest = min(cost_of(pair, rows, PRICES, likely(rows)) for pair in pairs)
    assert cost_of(best(rows, PRICES), rows, PRICES, likely(rows)) <= cheapest


@given(some_rows, st.integers(1, 50))
@settings(max_examples=30, deadline=None)
def test_where_a_look_is_free_people_look_at_everything(
    rows: list[tuple[float, bool, float, int]], price: int
) -> None:
    assert best(made(rows), Prices(price, price, 0)) == Thresholds(0.0, NEVER)


def test_where_a_look_is_dear_nobody_looks() -> None:
    rows = drawn(300)
    found = best(rows, Prices(20, 5, 1_000))
    assert set(found.verdicts(rows.scores)) <= {0, 2}


def test_where_a_missed_violation_costs_nothing_everything_passes() -> None:
    rows = drawn(300)
    assert set(best(rows, Prices(0, 5, 1)).verdicts(rows.scores)) == {0}


def test_where_a_false_alarm_costs_nothing_whatever_could_be_a_violation_is_flagged() -> None:
    rows = drawn(300)
    found = best(rows, Prices(20, 0, 1))
    assert cost_of(found, rows, Prices(20, 0, 1)) == 0
    assert not (found.verdicts(rows.scores) == 1).any()


def test_where_a_missed_violation_is_beyond_price_none_passes() -> None:
    rows = drawn(300)
    verdicts = best(rows, Prices(1e9, 5, 1)).verdicts(rows.scores)
    assert not ((verdicts == 0) & rows.is_violation).any()


def test_with_many_calibrated_rows_the_thresholds_are_those_of_the_prices_alone() -> None:
    """Pass while missing costs less than a review, flag once a false alarm does: p * 20 < 1, (1 - p) * 5 < 1."""
    found = best(drawn(30_000), PRICES)
    assert found.pass_below == pytest.approx(1 / 20, abs=0.03)
    assert found.flag_from == pytest.approx(1 - 1 / 5, abs=0.08)


@given(some_rows, st.integers(0, 1001), st.integers(0, 1001), some_prices)
@settings(max_examples=30, deadline=None)
def test_what_is_expected_adds_up_and_lies_in_its_intervals(
    rows: list[tuple[float, bool, float, int]], one: int, other: int, prices: Prices
) -> None:
    pair = Thresholds(float(CUTS[min(one, other)]), float(CUTS[max(one, other)]))
    found = expected(pair, made(rows), prices)
    assert found.passed.mean + found.human.mean + found.flagged.mean == pytest.approx(1)
    cost = (
        prices.missed * found.missed.mean
        + prices.false_alarm * found.false_alarms.mean
        + prices.look * found.human.mean
    )
    assert found.cost.mean == pytest.approx(cost)
    assert found.cost.mean == pytest.approx(cost_of(pair, made(rows), prices))
    low, high = found.cost.interval
    assert low - 1e-9 <= found.cost.mean <= high + 1e-9


def test_the_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    truth = cost_of(Thresholds(0.05, 0.8), drawn(400_000, seed=99), PRICES)
    held = 0
    for seed in range(200):
        rows = drawn(300, seed=seed)
        low, high = expected(Thresholds(0.05, 0.8), rows, PRICES).cost.interval
        held += low <= truth <= high
    assert held >= 186


def test_copies_make_no_interval_narrower() -> None:
    rows = drawn(200)
    tenfold = Rows(
        np.repeat(rows.scores, 10),
        np.repeat(rows.is_violation, 10),
        np.full(2_000, 0.1),
        [*np.repeat(range(200), 10)],
    )
    one, other = (expected(Thresholds(0.05, 0.8), kind, PRICES) for kind in (rows, tenfold))
    assert other.cost.mean == pytest.approx(one.cost.mean)
    assert np.diff(other.cost.interval) == pytest.approx(np.diff(one.cost.interval))


def test_the_thresholds_lie_in_their_intervals() -> None:
    for n in (100, 2_000):
        found = choose(drawn(n), PRICES, rng=np.random.default_rng(0))
        for threshold, (low, high) in (
            (found.thresholds.pass_below, found.pass_below_interval),
            (found.thresholds.flag_from, found.flag_from_interval),
        ):
            assert low <= threshold <= high
            assert low < high


@given(st.floats(0, 1, width=32), st.integers(0, 1001))
def test_a_thousandth_tells_exactly_which_cuts_lie_above_a_score(score: float, cut: int) -> None:
    assert (score < CUTS[cut]) == (thousandths([score])[0] < cut)


def test_few_labels_count_little_and_many_decide() -> None:
    few, many = (Rows(np.full(n, 0.2), np.ones(n, dtype=bool), np.ones(n), range(n)) for n in (1, 90_000))
    assert likely(few)[0] == pytest.approx(0.2, abs=0.001)
    assert likely(many)[0] == pytest.approx(1, abs=0.01)


def test_a_few_hundred_rows_choose_nearly_as_well_as_all_there_are() -> None:
    """Labels alone cost a tenth more than the best (1.104 over 100 draws), mixed with scores 1.014."""
    whole, prices = drawn(100_000, seed=99), Prices(50, 5, 1)
    ideal = cost_of(Thresholds(1 / 50, 0.8), whole, prices)
    found = [cost_of(best(drawn(300, seed=seed), prices), whole, prices) for seed in range(20)]
    assert np.mean(found) < 1.02 * ideal
