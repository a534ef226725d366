import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax

from trainer.labels import LABELS
from trainer.statistics.vector_scaling import apply_calibration, fit_calibration

logits = arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(-50, 50))


def one_hot(positions):
    return np.eye(len(LABELS))[positions]


def negative_log_likelihood(scores, targets):
    return -(targets * np.log(scores)).sum(axis=1).mean()


@given(logits, st.integers(0, 100))
def test_a_fit_is_always_usable(scores, seed):
    targets = one_hot(np.random.default_rng(seed).integers(0, 3, len(scores)))
    calibration = fit_calibration(scores, targets)
    assert calibration.temperature > 0
    assert np.isfinite([calibration.temperature, *calibration.bias.values()]).all()


def test_overconfidence_and_shifted_priors_are_undone(rng):
    true = np.array([0.7, 0.2, 0.1]) * rng.gamma(1.0, size=(4000, 3))
    true /= true.sum(axis=1, keepdims=True)
    targets = one_hot([rng.choice(3, p=row) for row in true])
    distorted = 3 * (np.log(true) + np.array([0.0, 1.0, 2.5]))
    calibration = fit_calibration(distorted, targets)
    assert calibration.temperature == pytest.approx(3, rel=0.15)
    assert calibration.bias["violation"] < calibration.bias["suspicious"] < calibration.bias["normal"]
    np.testing.assert_allclose(apply_calibration(distorted, calibration), true, atol=0.06)


def test_a_bias_that_would_silence_a_label_is_left_out(rng):
    """A model weighted towards a rare label keeps predicting it; only its confidence is corrected."""
    truth = rng.choice(3, size=600, p=[0.8, 0.1, 0.1])
    scores = 0.6 * one_hot(truth) + rng.normal(scale=0.5, size=(600, 3))
    calibration = fit_calibration(scores, one_hot(truth))
    assert set(calibration.bias.values()) == {0.0}
    probabilities = apply_calibration(scores, calibration)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), scores.argmax(axis=1))
    assert negative_log_likelihood(probabilities, one_hot(truth)) <= negative_log_likelihood(
        softmax(scores, axis=1), one_hot(truth)
    )


def test_the_temperature_may_be_fitted_alone(rng):
    """Rows selected for a label would teach a bias that other posts lack."""
    true = rng.dirichlet([0.7, 0.2, 0.1], size=1000)
    targets, distorted = one_hot([rng.choice(3, p=row) for row in true]), 3 * np.log(true + 1e-3) + [0, 1, 3]
    assert set(fit_calibration(distorted, targets).bias.values()) != {0.0}
    alone = fit_calibration(distorted, targets, has_bias=False)
    assert set(alone.bias.values()) == {0.0}
    assert alone.temperature > 2


def test_few_rows_change_little():
    calibration = fit_calibration(np.zeros((2, 3)), one_hot([2, 2]))
    assert abs(calibration.bias["violation"]) < 0.5


def test_log_probabilities_serve_as_well_as_logits(rng):
    scores, targets = rng.normal(size=(50, 3)), one_hot(rng.integers(0, 3, 50))
    from_logits = apply_calibration(scores, fit_calibration(scores, targets))
    logs = log_softmax(scores, axis=1)
    np.testing.assert_allclose(
        from_logits, apply_calibration(logs, fit_calibration(logs, targets)), atol=1e-3
    )


def test_a_weight_counts_like_copies(rng):
    scores, targets = rng.normal(size=(30, 3)), one_hot(rng.integers(0, 3, 30))
    weights = rng.integers(1, 4, 30)
    copied = fit_calibration(np.repeat(scores, weights, axis=0), np.repeat(targets, weights, axis=0))
    weighted = fit_calibration(scores, targets, weights)
    assert weighted.temperature == pytest.approx(copied.temperature, abs=1e-3)
