import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax

from trainer.labels import LABELS
from trainer.statistics.calibration import Calibration
from trainer.statistics.vector_scaling import apply_calibration

logits = arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(-50, 50))


@given(logits, st.floats(0.05, 20), st.lists(st.floats(-5, 5), min_size=3, max_size=3))
def test_calibrated_probabilities_are_probabilities(scores, temperature, bias):
    calibration = Calibration(temperature, dict(zip(LABELS, bias, strict=True)))
    probabilities = apply_calibration(scores, calibration)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities >= 0).all()


def test_the_identity_is_softmax():
    scores = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(apply_calibration(scores, Calibration.identity()), softmax(scores, axis=1))
