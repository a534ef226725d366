import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from trainer.selection.stopping import kappa, stopping_hint

SAME = np.tile([0, 0, 1, 2], 500)


def changed(rows):
    """Copy of the labels with some posts changed."""
    labels = SAME.copy()
    labels[:rows] = (labels[:rows] + 1) % 3
    return labels


def test_three_agreements_on_a_flat_curve_are_settled():
    hint = stopping_hint([SAME, changed(2), changed(4), SAME], [0.70, 0.71, 0.69, 0.704])
    assert hint.is_reached
    assert min(hint.agreements) > 0.99
    assert hint.gained == pytest.approx(0.004)


def test_half_a_point_gained_is_not_flat():
    hint = stopping_hint([SAME] * 4, [0.70, 0.70, 0.70, 0.7051])
    assert (hint.reason, hint.is_reached) == ("still gaining", False)


def test_one_disagreement_among_the_last_three_is_enough():
    hint = stopping_hint([changed(60), SAME, SAME, SAME], [0.7] * 4)
    assert (hint.reason, hint.is_reached) == ("still changing", False)


def test_only_the_last_four_rounds_count():
    assert stopping_hint([changed(900), SAME, SAME, SAME, SAME], [0.2, 0.7, 0.7, 0.7, 0.7]).is_reached


def test_three_rounds_have_no_three_successions():
    assert stopping_hint([SAME] * 3, [0.7] * 3).reason == "too few rounds"


def test_a_model_that_says_one_thing_of_every_post_is_not_settled():
    assert stopping_hint([np.zeros(2000, int)] * 4, [0.25] * 4).reason == "still changing"


def test_rounds_of_different_posts_are_refused():
    with pytest.raises(ValueError, match="same posts"):
        stopping_hint([SAME, SAME[:10]], [0.7, 0.7])
    with pytest.raises(ValueError, match="score"):
        stopping_hint([SAME], [])


def test_kappa_is_cohens(rng):
    one, other = rng.integers(0, 3, (2, 300))
    assert kappa(one, other) == pytest.approx(cohen_kappa_score(one, other))


def test_kappa_of_no_posts_is_nothing():
    assert kappa(SAME[:0], SAME[:0]) == 0
