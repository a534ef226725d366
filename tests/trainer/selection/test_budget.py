"""A budget is never exceeded, and a part of it is drawn by post numbers alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.selection.budget import HighestRanked, Picker, is_drawn, rate, uniform


def pick(
    numbers: np.ndarray, scores: np.ndarray, budget: int, *, part: int = 1_000, kept: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    picker = Picker(len(numbers), budget)
    is_kept = np.zeros(len(numbers), bool) if kept is None else np.isin(numbers, kept)
    for start in range(0, len(numbers), part):
        here = slice(start, start + part)
        is_taken = picker.draw(numbers[here], is_kept[here])
        picker.consider(numbers[here][~is_taken], scores[here][~is_taken])
    return picker.picked()


def some_scores(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet([3, 0.5, 0.5], count).astype(np.float32)


@settings(deadline=None)
@given(
    st.integers(0, 400),
    st.integers(0, 500),
    st.integers(1, 90),
    st.sets(st.integers(1, 400)),
    st.integers(0, 9),
)
def test_no_more_than_the_budget_is_picked_and_each_post_once(
    posts: int, budget: int, part: int, kept: set[int], seed: int
) -> None:
    numbers = np.arange(1, posts + 1)
    found, chance = pick(numbers, some_scores(posts, seed), budget, part=part, kept=np.array(sorted(kept)))
    assert len(found) == min(budget, posts)
    assert (np.diff(found) > 0).all()
    assert np.isin(found, numbers).all()
    assert np.isin(numbers[is_drawn(numbers, chance)], found).all()
    if budget >= posts:
        assert chance == 1.0


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_how_the_posts_are_cut_into_parts_changes_nothing(budget: int, one: int, other: int) -> None:
    numbers, scores = np.arange(1, 301), some_scores(300).round(1)  # many are equal
    first, second = (pick(numbers, scores, budget, part=part) for part in (one, other))
    assert first[0].tolist() == second[0].tolist()


def test_the_share_that_is_drawn_is_its_chance_wherever_the_numbers_lie() -> None:
    for first in (1, 5_000_000, 2**40):
        for chance in (0.5, 0.05, 0.01):
            n = 200_000
            drawn = is_drawn(np.arange(first, first + n), chance).sum()
            assert abs(drawn - n * chance) < 4 * np.sqrt(n * chance * (1 - chance))
    every_seventh = uniform(np.arange(1, 700_000, 7))
    assert np.histogram(every_seventh, 10, (0, 1))[0] == pytest.approx([10_000] * 10, rel=0.05)


def test_whether_a_post_is_drawn_hangs_on_nothing_but_its_number() -> None:
    numbers = np.arange(1, 20_001)
    (one, chance), (other, same) = (pick(numbers, some_scores(20_000, seed), 2_000) for seed in (1, 2))
    assert chance == same == 0.02
    assert one.tolist() != other.tolist()
    drawn = numbers[is_drawn(numbers, chance)]
    assert np.isin(drawn, one).all()
    assert np.isin(drawn, other).all()
    assert is_drawn(numbers[::-1], chance)[::-1].tolist() == is_drawn(numbers, chance).tolist()


def test_what_is_drawn_with_a_small_chance_is_drawn_with_a_larger_one() -> None:
    numbers = np.arange(1, 20_001)
    assert (is_drawn(numbers, 0.05) | ~is_drawn(numbers, 0.02)).all()


def test_the_chance_is_a_round_figure_and_takes_a_fifth_of_the_budget_at_most() -> None:
    assert rate(10_000_000, 432_000) == 0.005
    assert rate(10_000_000, 10_000_000) == rate(5, 9) == 1.0
    for budget in (1, 10, 999, 50_000, 99_999):
        assert rate(100_000, budget) <= 0.2 * budget / 100_000
        assert rate(100_000, budget) > 0.05 * budget / 100_000


def test_candidates_are_the_unsure_and_the_likely_violations() -> None:
    numbers = np.arange(1, 10_001)
    scores = np.tile(np.float32([0.98, 0.01, 0.01]), (10_000, 1))
    scores[:300], scores[300:600] = [0.34, 0.33, 0.33], [0.05, 0.05, 0.9]
    found, chance = pick(numbers, scores, 1_000)
    assert np.isin(numbers[:600], found).all()
    clear = found[found > 600]
    assert len(found) == 1_000
    assert is_drawn(clear, chance).sum() > 0


def test_posts_to_be_kept_are_picked_whatever_they_look_like() -> None:
    numbers, kept = np.arange(1, 2_001), np.array([3, 700, 1_999])
    found, _chance = pick(numbers, some_scores(2_000), 100, kept=kept)
    assert np.isin(kept, found).all()


def test_the_best_are_the_best_of_all_parts_and_memory_is_bounded() -> None:
    ranks = np.random.default_rng(0).random(5_000).astype(np.float32)
    best = HighestRanked(50)
    for start in range(0, 5_000, 70):
        best.add(np.arange(start, min(start + 70, 5_000)), ranks[start : start + 70])
        assert best._held <= 2 * 50 + 70
    assert best.first().tolist() == np.argsort(-ranks, kind="stable")[:50].tolist()
