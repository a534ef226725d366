"""Evidence for a model: against the linear baseline, and against one label for all rows."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.labels import LABELS
from trainer.statistics.evidence import Evidence, evidence

TRUTH = np.tile([0, 0, 1, 2], 25)


def of(predicted, linear=None, *, truth=TRUTH, weights=None, groups=None, seed=0):
    groups = list(range(len(truth))) if groups is None else groups
    weights = np.ones(len(truth)) if weights is None else weights
    rng = np.random.default_rng(seed)
    return evidence(np.asarray(predicted), linear, truth, weights, groups, rng=rng, resamples=300)


@given(
    st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=60),
    st.sampled_from([0, 1, 2]),
    st.integers(1, 20),
    st.integers(0, 10_000),
)
@settings(max_examples=60)
def test_a_constant_model_never_beats_the_majority_label(labels, constant, groups, seed):
    truth, draw = np.array(labels), np.random.default_rng(seed)
    found = of(
        np.full(len(truth), constant),
        truth=truth,
        weights=draw.uniform(0.1, 3, len(truth)),
        groups=draw.integers(0, groups, len(truth)).tolist(),
        seed=seed,
    )
    assert not found.majority.is_proven


def test_a_good_model_beats_the_majority_label_and_a_bad_linear_one(rng):
    linear = np.where(rng.random(len(TRUTH)) < 0.5, TRUTH, 0)
    found = of(TRUTH, linear)
    assert (found.majority.own, found.macro_f1) == (1, 1)
    assert found.majority.is_proven
    assert found.linear is not None
    assert found.linear.is_proven
    assert found.linear.interval[0] < found.linear.difference


def test_equal_to_the_linear_model_is_no_proof():
    found = of(TRUTH, TRUTH)
    assert found.linear is not None
    assert (found.linear.difference, found.linear.is_proven) == (0, False)


def test_near_copies_are_one_post_and_prove_nothing():
    found = of(TRUTH, groups=(np.arange(len(TRUTH)) // 50).tolist())
    assert (found.posts, found.violations) == (2, 2)
    few = of([2, 0] * 20, truth=np.array([2, 0] * 20), groups=[0] * 40)
    assert few.posts == few.violations == 1


def test_the_majority_is_of_weights_not_of_rows():
    weights = np.where(TRUTH == 2, 9.0, 1.0)
    assert of(np.full(len(TRUTH), 2), weights=weights).majority.difference == 0


@given(st.integers(0, 1_000))
@settings(max_examples=20)
def test_the_order_of_the_rows_changes_nothing(seed):
    draw = np.random.default_rng(seed)
    predicted, order = draw.integers(0, 3, len(TRUTH)), draw.permutation(len(TRUTH))
    one = of(predicted, predicted[::-1])
    other = of(predicted[order], predicted[::-1][order], truth=TRUTH[order])
    assert (one.posts, one.violations) == (other.posts, other.violations)
    assert other.majority.difference == pytest.approx(one.majority.difference)
    assert other.majority.interval == pytest.approx(one.majority.interval, abs=0.05)


def test_it_survives_json():
    names = [LABELS[at] for at in TRUTH]
    for linear in (None, TRUTH):
        found = of(TRUTH, linear, truth=names)
        assert Evidence.from_dict(json.loads(json.dumps(found.to_dict()))) == found
