"""Strata of held-out posts: the labelled ones are a random sample of their stratum and represent the rest."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.selection.budget import is_drawn
from trainer.selection.strata import DRAWN, FEWEST, inclusion, serving_order, strata


def test_strata_rise_with_the_violation_probability() -> None:
    assert strata(np.array([0.0, 0.049, 0.05, 0.19, 0.2, 0.49, 0.5, 1.0])).tolist() == [
        0, 0, 1, 1, 2, 2, 3, 3,
    ]  # fmt: skip


def test_strata_take_turns_until_one_is_used_up() -> None:
    of = np.array([0] * 8 + [3] * 2)
    draws = np.arange(10) / 10
    order = serving_order(of, draws, is_even=True)
    assert of[order].tolist() == [0, 3, 0, 3, 0, 0, 0, 0, 0, 0]
    assert serving_order(of, draws, is_even=False).tolist() == list(range(10))


@given(st.lists(st.tuples(st.integers(-1, 3), st.floats(0, 1)), max_size=40), st.booleans())
def test_the_order_holds_every_post_once_and_luck_decides_within_a_stratum(
    posts: list[tuple[int, float]], is_even: bool
) -> None:
    of = np.array([kind for kind, _ in posts], dtype=np.int64)
    draws = np.array([drawn for _, drawn in posts], dtype=np.float64)
    order = serving_order(of, draws, is_even=is_even)
    assert sorted(order.tolist()) == list(range(len(posts)))
    for kind in set(of.tolist()):
        drawn = draws[[at for at in order if of[at] == kind]]
        assert (np.diff(drawn) >= 0).all()


def test_the_chance_is_labelled_over_all_and_poor_strata_lean_on_their_neighbour() -> None:
    assert inclusion({0: 100, 3: 20}, {0: 10, 3: 10}) == {0: 0.1, 3: 0.5}
    poor = inclusion({0: 100, 1: 50, 3: 20}, {0: 10, 1: FEWEST - 1, 3: 10})
    assert poor[1] == poor[3] == pytest.approx((FEWEST - 1 + 10) / 70)
    last = inclusion({0: 90, 3: 10}, {0: 10, 3: 0})
    assert last == {0: 0.1, 3: 0.1}
    assert inclusion({None: 40}, {None: 1}) == {None: 1 / 40}
    assert inclusion({0: 40}, {}) == {}


def test_weighted_by_their_chances_an_uneven_sample_estimates_the_share_of_violations() -> None:
    """Ten thousand posts with 1% violations: the sample holds many, and the weighted estimate is correct."""
    rng = np.random.default_rng(0)
    violation = np.clip(rng.beta(0.3, 8, 10_000), 0, 1)
    is_violation = rng.random(10_000) < violation
    of, draws = strata(violation), rng.random(10_000)
    estimates, raw = [], []
    for _ in range(40):
        chosen = serving_order(of, rng.permutation(draws), is_even=True)[:400]
        sizes = {int(kind): int((of == kind).sum()) for kind in set(of.tolist())}
        labelled = {kind: int((of[chosen] == kind).sum()) for kind in sizes}
        chance = np.array([inclusion(sizes, labelled)[int(kind)] for kind in of[chosen]])
        estimates.append((is_violation[chosen] / chance).sum() / (1 / chance).sum())
        raw.append(is_violation[chosen].mean())
    assert np.mean(estimates) == pytest.approx(is_violation.mean(), rel=0.1)
    assert np.mean(raw) > 2 * is_violation.mean()


def test_posts_without_a_stratum_are_served_after_all_others() -> None:
    of = np.array([-1, 0, -1, 3, DRAWN + 1])
    for is_even in (True, False):
        order = serving_order(of, np.array([0.0, 0.9, 0.1, 0.9, 0.9]), is_even=is_even)
        assert order.tolist()[-2:] == [0, 2]


def test_drawn_strata_stand_for_what_was_not_drawn_too() -> None:
    sizes = {DRAWN: 90, DRAWN + 3: 10, None: 900, 0: 50}
    found = inclusion(sizes, {DRAWN: 18, DRAWN + 3: 10, 0: 25})
    assert found == pytest.approx({DRAWN: 0.02, DRAWN + 3: 0.1, 0: 0.5})
    assert 18 / found[DRAWN] + 10 / found[DRAWN + 3] == pytest.approx(1_000)
    both = inclusion(sizes, {DRAWN: 18, DRAWN + 3: 10, None: 28})
    assert both[None] == pytest.approx(56 / 1_000)
    assert 18 / both[DRAWN] + 10 / both[DRAWN + 3] == pytest.approx(500)
    assert inclusion(sizes, {None: 30}) == {None: pytest.approx(0.03)}


@pytest.mark.parametrize("undrawn", [0, 60], ids=["drawn only", "some labelled before the draw"])
def test_a_budgeted_pass_estimates_the_share_of_violations_without_bias(undrawn: int) -> None:
    """A hundred draws of a tenth of 6,000 held-out posts, 300 labelled by strata: correct on average.

    Treated like any other stratum, the drawn posts would represent only themselves and bias the estimate.
    """
    rng = np.random.default_rng(0)
    violation = rng.beta(0.3, 8, 6_000)
    is_violation = rng.random(6_000) < violation
    estimates, naive = [], []
    for _ in range(100):
        numbers = rng.integers(1, 2**40, 6_000)
        of = np.where(is_drawn(numbers, 0.1), strata(violation) + DRAWN, -1)
        order = serving_order(of, rng.random(6_000), is_even=True)
        chosen = np.concatenate([order[:300], rng.choice(np.flatnonzero(of < 0), undrawn, replace=False)])
        kinds: list[int | None] = [None if kind < 0 else int(kind) for kind in of.tolist()]
        sizes, labelled = Counter(kinds), Counter(kinds[at] for at in chosen)
        for estimate, shares in (
            (estimates, inclusion(sizes, labelled)),
            (naive, {kind: labelled[kind] / sizes[kind] for kind in labelled}),
        ):
            weights = np.array([1 / shares[kinds[at]] for at in chosen])
            estimate.append((is_violation[chosen] * weights).sum() / weights.sum())
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - is_violation.mean()) < 3 * error
    assert error < 0.05 * is_violation.mean()
    if undrawn:
        assert np.std(naive) > 1.5 * np.std(estimates)
