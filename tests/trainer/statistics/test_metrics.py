import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve

from trainer.labels import LABELS
from trainer.statistics.metrics import (
    calibration_error,
    confusion_by_group,
    label_positions,
    macro_f1,
    metrics,
    reliability,
    resample,
)

positions = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40)


def sure(labels, confidence=0.9):
    rest = (1 - confidence) / 2
    return np.where(np.eye(3)[label_positions(labels)] == 1, confidence, rest)


@given(positions)
def test_macro_f1_is_the_textbook_one_over_the_labels_that_occur(pairs):
    truth, predicted = np.array(pairs).T
    expected = f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    assert macro_f1(truth, predicted) == pytest.approx(expected)


def test_labels_go_by_name_or_position():
    assert macro_f1(["normal", "violation"], ["normal", "normal"]) == macro_f1([0, 2], [0, 0])
    with pytest.raises(ValueError, match="bad"):
        label_positions(["bad"])
    with pytest.raises(ValueError, match="run from 0 to 2"):
        label_positions([3])


def test_a_right_model_is_perfect_and_json_ready(rng):
    truth = list(LABELS) * 20
    report = json.loads(json.dumps(metrics(sure(truth), truth, rng=rng), allow_nan=False))
    assert report["macro_f1"] == report["accuracy"] == report["violation_pr_auc"] == 1
    assert report["macro_f1_interval"] == [1, 1]
    assert report["violation_recall_at_90_precision"] == 1
    assert report["ece"] == pytest.approx(0.1)
    assert report["per_label"]["violation"]["recall"] == report["per_label"]["violation"]["precision"] == 1
    assert report["per_label"]["violation"]["support"] == 20
    assert report["confusion"]["normal"] == {"normal": 20, "suspicious": 0, "violation": 0}
    assert report["labels_counted"] == list(LABELS)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(1, 3)), min_size=1, max_size=40))
def test_ranking_figures_are_scikit_learns_ties_and_weights_included(rows):
    truth, scores, weights = map(np.array, zip(*rows, strict=True))
    probabilities = np.stack([1 - scores / 10, scores * 0, scores / 10], axis=1)
    report = metrics(probabilities, truth, weights, rng=np.random.default_rng(0))
    if not (truth == 2).any():
        assert report["violation_pr_auc"] is report["violation_recall_at_90_precision"] is None
        return
    expected = average_precision_score(truth == 2, scores, sample_weight=weights)
    assert report["violation_pr_auc"] == pytest.approx(expected)
    precision, recall, _ = precision_recall_curve(truth == 2, scores, sample_weight=weights)
    found = report["violation_recall_at_90_precision"]
    assert found == pytest.approx(recall[precision >= 0.9].max())


def test_every_figure_has_an_interval_around_it(rng):
    truth = rng.integers(0, 3, 400)
    scores = 0.6 * np.eye(3)[truth] + rng.dirichlet([1, 1, 1], 400)
    report = metrics(scores / scores.sum(axis=1, keepdims=True), truth, groups=np.arange(400) // 2, rng=rng)
    figures = [(report[name], bounds) for name, bounds in report["intervals"].items()]
    for values in report["per_label"].values():
        figures += [(values[name], bounds) for name, bounds in values["intervals"].items()]
    assert len(figures) == 5 + 9
    for figure, (low, high) in figures:
        assert low <= figure <= high
        assert low < high


def test_an_interval_of_ece_covers_the_sampling_of_a_calibrated_model(rng):
    truth = np.where(rng.random(3000) < 0.8, 0, 2)
    error, (low, high) = calibration_error(sure([0] * 3000, 0.8), truth, rng=rng)
    assert low <= error <= high
    assert error < 0.03


def test_reliability_bins_hold_every_row(rng):
    truth, guess = rng.integers(0, 3, 50), rng.integers(0, 3, 50)
    held, sure_, right = reliability(sure(guess, 0.5), truth, np.full(50, 2.0)).T
    assert held.sum() == held.max() == 100
    assert sure_[held > 0] == pytest.approx(0.5)
    assert right[held > 0] == pytest.approx((truth == guess).mean())


def test_what_was_not_there_is_not_measured(rng):
    report = metrics(sure(["normal", "violation"]), ["normal", "normal"], rng=rng)
    assert report["labels_counted"] == ["normal"]
    assert report["violation_pr_auc"] is None
    assert report["violation_recall_at_90_precision"] is None
    assert report["per_label"]["violation"]["recall"] is None
    assert report["per_label"]["suspicious"]["precision"] is None


def test_the_interval_holds_the_figure_and_narrows_with_more_groups(rng):
    def width(rows, groups):
        truth = rng.integers(0, 3, rows)
        guess = np.where(rng.random(rows) < 0.7, truth, rng.integers(0, 3, rows))
        report = metrics(sure(guess), truth, groups=groups, rng=rng)
        low, high = report["macro_f1_interval"]
        assert low < report["macro_f1"] < high
        return high - low

    small, large, clustered = (
        width(100, None),
        width(2000, None),
        width(2000, [at // 50 for at in range(2000)]),
    )
    assert large < small / 3
    assert clustered > 0.6 * large


def test_the_interval_follows_its_generator():
    truth, guess = [0, 1, 2] * 10, [0, 1, 1] * 10
    first, second = (metrics(sure(guess), truth, rng=np.random.default_rng(4)) for _ in range(2))
    assert first == second


def test_weights_count_like_copies(rng):
    truth, guess = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])
    weights = np.array([3, 1, 2, 1])
    weighted = metrics(sure(guess), truth, weights, rng=rng)
    copied = metrics(sure(np.repeat(guess, weights)), np.repeat(truth, weights), rng=rng)
    for name in ("macro_f1", "accuracy", "ece", "violation_pr_auc"):
        assert weighted[name] == pytest.approx(copied[name])
    assert weighted["confusion"] == copied["confusion"]


def test_resampling_draws_whole_groups(rng):
    truth = np.array([0, 0, 2, 2])
    by_group = confusion_by_group(truth, truth, np.ones(4), ["a", "a", "b", "b"])
    drawn = resample(by_group, rng, 500)
    assert drawn.shape == (500, 3, 3)
    assert set(drawn[:, 0, 0]) == {0, 2, 4}
    np.testing.assert_array_equal(drawn.sum(axis=(1, 2)), 4)


def test_resampling_distinct_groups_is_the_plain_bootstrap(rng):
    values = rng.integers(0, 4, 60).astype(float).reshape(60, 1)
    plain = [rng.choice(values[:, 0], 60).sum() for _ in range(4000)]
    drawn = resample(values, rng, 4000)[:, 0]
    assert drawn.mean() == pytest.approx(np.mean(plain), rel=0.02)
    assert drawn.std() == pytest.approx(np.std(plain), rel=0.1)
