"""Violations are compared at equal numbers of flags, so neither flagging more nor flagging everything wins."""

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from trainer.statistics import violations
from trainer.statistics.violations import at_equal_flags, flagged

TRUTH = np.tile([0, 1, 2], 40)
ONES = np.ones(len(TRUTH))
VIOLATION, NORMAL = np.tile([0.0, 0.0, 1.0], (120, 1)), np.tile([1.0, 0.0, 0.0], (120, 1))


def scored(draw, skill, shift=0.0):
    """Probabilities whose violation score separates violations by `skill`; a higher `shift` flags more rows."""
    logit = draw.normal(size=len(TRUTH)) + skill * (TRUTH == 2) - skill / 2 + shift
    violation = 1 / (1 + np.exp(-logit))
    return np.stack([1 - violation, np.zeros(len(TRUTH)), violation], axis=1)


def compared(champion, challenger):
    return at_equal_flags(champion, challenger, TRUTH, ONES)


def test_a_champion_that_is_better_on_violations_is_protected(rng):
    assert compared(scored(rng, 5), scored(rng, 0.5)).is_proven_loss


@pytest.mark.parametrize("champion", [VIOLATION, NORMAL], ids=["all violation", "all normal"])
@pytest.mark.parametrize("skill", [0, 1, 5])
def test_a_champion_that_says_the_same_of_all_protects_nothing(rng, champion, skill):
    assert not compared(champion, scored(rng, skill)).is_proven_loss


@pytest.mark.parametrize("challenger", [VIOLATION, NORMAL], ids=["all violation", "all normal"])
def test_a_challenger_that_says_the_same_of_all_loses_against_a_good_champion(rng, challenger):
    assert compared(scored(rng, 5), challenger).is_proven_loss


def test_a_champion_by_chance_protects_nothing_against_a_good_challenger(rng):
    assert not compared(scored(rng, 0), scored(rng, 4)).is_proven_loss
    assert compared(scored(rng, 4), scored(rng, 0)).is_proven_loss


@given(st.integers(0, 10_000), st.floats(0, 4), st.floats(-3, 3))
def test_flagging_more_or_less_with_the_same_order_is_no_loss(seed, skill, shift):
    one = scored(np.random.default_rng(seed), skill)
    other = scored(np.random.default_rng(seed), skill, shift)
    for found in (compared(one, other), compared(other, one)):
        assert (found.at_champions.lost, found.at_champions.gained) == (0, 0)
        assert not found.is_proven_loss


@given(st.integers(0, 10_000), st.sampled_from([VIOLATION, NORMAL]))
def test_of_two_constant_models_neither_is_proven_to_lose(seed, one):
    for other in (VIOLATION, NORMAL):
        assert not compared(one, other).is_proven_loss
        assert not compared(other, one).is_proven_loss


@example(seed=115)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_the_rows_changes_nothing(seed):
    draw = np.random.default_rng(seed)
    one, two, order = scored(draw, 2).round(1), scored(draw, 3).round(1), draw.permutation(len(TRUTH))
    there = at_equal_flags(one, two, TRUTH, ONES)
    again = at_equal_flags(one[order], two[order], TRUTH[order], ONES)
    for before, after in (
        (there.at_champions, again.at_champions),
        (there.at_challengers, again.at_challengers),
    ):
        assert (before.flags, before.gained, before.lost) == (after.flags, after.gained, after.lost)
        assert after.recall_difference == pytest.approx(before.recall_difference)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.data())
def test_as_many_rows_are_flagged_as_asked_for_and_the_highest_first(values, data):
    scores, flags = np.array(values, float), data.draw(st.integers(0, len(values)))
    chances = flagged(scores, flags)
    assert chances.sum() == pytest.approx(flags)
    assert ((chances >= 0) & (chances <= 1)).all()
    assume(flags > 0)
    assert (np.diff(chances[np.argsort(scores, kind="stable")]) >= 0).all()


def test_a_loss_within_the_margin_is_let_pass(monkeypatch):
    champion, challenger = np.eye(3)[TRUTH] * 0.9 + 0.03, np.eye(3)[TRUTH] * 0.9 + 0.03
    challenger[np.flatnonzero(TRUTH == 2)[:8]] = [0.05, 0.95, 0]
    found = compared(champion, challenger)
    assert found.is_proven_loss
    monkeypatch.setattr(violations, "RECALL_MARGIN", 0.25)
    assert not found.is_proven_loss


def test_a_loss_weighs_what_its_rows_stand_for():
    """Each model alone flags one violation; the lost one represents nine posts, the gained one a single post."""
    champion, challenger = np.eye(3)[[2, 0, 0, 0]], np.eye(3)[[0, 2, 0, 0]]
    found = at_equal_flags(
        champion, challenger, np.array([2, 2, 0, 0]), np.array([9.0, 1, 1, 1])
    ).at_champions
    assert (found.flags, found.gained, found.lost) == (1, 1, 1)
    assert found.recall_difference == pytest.approx(-0.8)
