import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.messages import Message
from trainer.statistics.comparison import compare

TRUTH = np.tile([0, 1, 2], 100)


def guess(rng, right):
    """Probabilities that are right at the given rate."""
    return guess_of(TRUTH, rng, right)


def guess_of(truth, rng, right):
    return np.eye(3)[np.where(rng.random(len(truth)) < right, truth, (truth + 1) % 3)]


def wrong_about(rows):
    positions = TRUTH.copy()
    positions[rows] = (positions[rows] + 1) % 3
    return np.eye(3)[positions]


def test_much_better_is_better(rng):
    result = compare(guess(rng, 0.6), guess(rng, 0.9), TRUTH, rng=rng)
    assert result.outcome == "better"
    assert 0 < result.interval[0] < result.difference < result.interval[1]
    assert "macro-F1 changes by +" in str(result.reasons[0])


def test_much_worse_is_worse(rng):
    result = compare(guess(rng, 0.9), guess(rng, 0.6), TRUTH, rng=rng)
    assert result.outcome == "worse"
    assert result.interval[1] < 0


def test_next_to_equal_is_undecided_and_says_what_would_settle_it(rng):
    result = compare(wrong_about(range(60)), wrong_about(range(55, 112)), TRUTH, rng=rng)
    assert result.outcome == "undecided"
    assert result.smallest_difference == pytest.approx((result.interval[1] - result.interval[0]) / 2)
    assert "300 test rows cannot show a difference below" in str(result.reasons[1])
    assert "test rows would settle" in str(result.reasons[-1])


def test_twins_are_undecided(rng):
    champion = guess(rng, 0.8)
    result = compare(champion, champion, TRUTH, rng=rng)
    assert (result.outcome, result.difference) == ("undecided", 0)
    assert (result.violations.at_champions.p_value, result.violations.at_challengers.p_value) == (1, 1)
    assert Message("both are right and wrong about the same test rows") in result.reasons


def graded(one_hot):
    """Scores that are surer of violations than of other rows that are taken for violations."""
    return np.where(one_hot == 1, 0.8, 0.1) + np.eye(3)[TRUTH] * [0, 0, 0.1]


def test_a_proven_loss_of_violations_outweighs_a_better_macro_f1(rng):
    champion, challenger = guess(rng, 0.5), np.eye(3)[TRUTH]
    violations = np.flatnonzero(TRUTH == 2)
    champion[violations] = [0, 0, 1]
    challenger[violations[:15]] = [0, 1, 0]
    result = compare(graded(champion), challenger, TRUTH, rng=rng)
    assert result.interval[0] > 0
    assert result.outcome == "worse"
    assert any("if both flag" in str(reason) for reason in result.reasons)


def test_a_champion_that_flags_everything_protects_nothing(rng):
    everything = np.tile([0.0, 0.0, 1.0], (300, 1))
    result = compare(everything, guess(rng, 0.8), TRUTH, rng=rng)
    assert result.outcome == "better"
    assert not result.violations.is_proven_loss


def test_a_challenger_that_flags_everything_is_worse(rng):
    result = compare(guess(rng, 0.8), np.tile([0.0, 0.0, 1.0], (300, 1)), TRUTH, rng=rng)
    assert result.outcome == "worse"
    assert result.violations.is_proven_loss


def test_without_violations_nothing_is_said_about_them(rng):
    result = compare(np.eye(3)[[0, 1]], np.eye(3)[[0, 1]], ["normal", "suspicious"], rng=rng)
    assert result.violations.proven.n == 0
    assert any("no violations" in str(reason) for reason in result.reasons)


def test_copies_of_one_post_prove_nothing(rng):
    """Ten groups of thirty copies are ten observations, not three hundred."""
    champion, challenger = guess(rng, 0.7), guess(rng, 0.8)
    alone = compare(champion, challenger, TRUTH, rng=rng)
    clustered = compare(champion, challenger, TRUTH, np.arange(300) // 30, rng=rng)
    assert alone.difference == clustered.difference
    copied = compare(
        np.repeat(champion[:30], 10, axis=0),
        np.repeat(challenger[:30], 10, axis=0),
        np.repeat(TRUTH[:30], 10),
        np.repeat(np.arange(30), 10),
        rng=rng,
    )
    assert copied.smallest_difference > 2 * alone.smallest_difference


def sure(one_hot, confidence):
    return np.where(one_hot == 1, confidence, (1 - confidence) / 2)


def better_but_boastful(rng, copies):
    """Far more often right, but as confident in its errors as elsewhere."""
    truth = np.tile(TRUTH, copies)
    champion, challenger = (guess_of(truth, rng, right) for right in (0.6, 0.7))
    return compare(sure(champion, 0.6), sure(challenger, 0.99), truth, rng=rng)


def test_a_better_one_whose_confidences_are_further_from_the_truth_waits_for_the_lead(rng):
    result = better_but_boastful(rng, 4)
    assert result.interval[0] > 0
    assert result.calibration.is_proven_worse
    assert result.calibration.challenger - result.calibration.champion > 0.2
    assert result.outcome == "undecided"
    assert "its confidences are further from the truth: calibration error 0." in str(result.reasons[-1])


def test_on_few_rows_confidences_decide_nothing(rng):
    result = better_but_boastful(rng, 3)
    assert result.calibration.interval[0] > 0
    assert result.outcome == "better"


def true_to_its_confidences(confidence, truth, draw):
    """Perfectly calibrated probabilities."""
    is_right = draw.random(len(truth)) < confidence
    chosen = np.where(is_right, truth, (truth + 1) % 3)
    rest = np.repeat((1 - confidence)[:, None] / 2, 3, axis=1)
    rest[np.arange(len(truth)), chosen] = confidence
    return rest


def test_confidences_that_are_true_are_not_held_against_a_bolder_challenger():
    """Spread confidences have a larger error by chance, which must not block a better challenger."""
    truth = np.tile(TRUTH, 4)
    stopped = 0
    for seed in range(30):
        draw = np.random.default_rng(seed)
        champion = true_to_its_confidences(np.full(len(truth), 0.55), truth, draw)
        challenger = true_to_its_confidences(draw.uniform(0.36, 0.94, len(truth)), truth, draw)
        result = compare(champion, challenger, truth, rng=draw, resamples=100)
        stopped += result.calibration.is_proven_worse
    assert stopped <= 3


def test_copies_of_a_few_posts_prove_nothing_about_confidences(rng):
    groups = np.arange(1200) // 40
    truth = np.tile(TRUTH, 4)
    champion, challenger = sure(guess_of(truth, rng, 0.6), 0.6), sure(guess_of(truth, rng, 0.7), 0.99)
    assert compare(champion, challenger, truth, rng=rng).calibration.is_proven_worse
    assert not compare(champion, challenger, truth, groups, rng=rng).calibration.is_proven_worse


def turned(found):
    """What swapping the two models makes of it."""
    return replace(
        found,
        gained=found.lost,
        lost=found.gained,
        recall_difference=pytest.approx(-found.recall_difference),
    )


def alike(found):
    return replace(found, recall_difference=pytest.approx(found.recall_difference))


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_the_order_of_the_rows_changes_nothing(seed):
    draw = np.random.default_rng(seed)
    one, two, groups = guess(draw, 0.6), guess(draw, 0.8), draw.integers(0, 60, len(TRUTH))
    order = draw.permutation(len(TRUTH))
    there = compare(one, two, TRUTH, groups, rng=np.random.default_rng(1), resamples=2_000)
    shuffled = (one[order], two[order], TRUTH[order], groups[order])
    again = compare(*shuffled, rng=np.random.default_rng(1), resamples=2_000)
    assert again.difference == pytest.approx(there.difference)
    assert again.violations.at_champions == alike(there.violations.at_champions)
    assert again.violations.at_challengers == alike(there.violations.at_challengers)
    assert again.interval == pytest.approx(there.interval, abs=0.02)  # drawn anew, so alike but not equal
    assert again.outcome == there.outcome or min(map(abs, there.interval)) < 0.02


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.booleans())
def test_swapping_the_two_turns_every_sign(seed, grouped):
    draw = np.random.default_rng(seed)
    one, two = guess(draw, 0.7), guess(draw, 0.75)
    groups = draw.integers(0, 60, len(TRUTH)) if grouped else None
    there = compare(one, two, TRUTH, groups, rng=np.random.default_rng(1), resamples=500)
    back = compare(two, one, TRUTH, groups, rng=np.random.default_rng(1), resamples=500)
    assert back.difference == pytest.approx(-there.difference)
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))
    assert back.violations.at_champions == turned(there.violations.at_challengers)
    assert back.violations.at_challengers == turned(there.violations.at_champions)
    assert (back.calibration.champion, back.calibration.challenger) == (
        there.calibration.challenger,
        there.calibration.champion,
    )
    assert back.calibration.interval == pytest.approx([-bound for bound in there.calibration.interval[::-1]])


def test_a_comparison_is_json_ready(rng):
    result = compare(guess(rng, 0.6), guess(rng, 0.9), TRUTH, rng=rng)
    assert json.loads(json.dumps(result.to_dict()))["outcome"] == "better"


def test_nothing_cannot_be_compared(rng):
    with pytest.raises(ValueError, match="needs labelled rows"):
        compare(np.empty((0, 3)), np.empty((0, 3)), [], rng=rng)
