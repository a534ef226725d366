"""Fits the calibration of a classifier: softmax(logits / temperature + bias).

Regularised vector scaling with one temperature (Guo et al. 2017). A temperature alone cannot undo the shift
of the priors that label weights and active selection cause; the bias can. Labels that are weighted for
macro-F1 are biased on purpose, though, and undoing that costs recall (measured: 7 points of macro-F1 for 1.6
of ECE), so the bias is kept only where macro-F1 does not fall. Normal priors pull both towards the identity,
so that few rows change little.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import log_softmax

from trainer.labels import LABELS
from trainer.statistics.calibration import Calibration
from trainer.statistics.metrics import Floats, macro_f1, row_weights

TEMPERATURE_SPREAD = 1.0
"""Standard deviation of the prior on log(temperature)."""
BIAS_SPREAD = 0.5
"""Standard deviation of the prior on each bias, in logits."""


def apply_calibration(logits: ArrayLike, calibration: Calibration) -> Floats:
    """(n, 3) probabilities of logits (n, 3), both in LABELS order."""
    bias = np.array([calibration.bias[label] for label in LABELS])
    scores = np.asarray(logits, np.float64) / calibration.temperature + bias
    powers: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def fit_calibration(
    logits: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None, *, has_bias: bool = True
) -> Calibration:
    """Fit on rows that did not train the model; without `has_bias`, the temperature only.

    `logits` (n, 3), log-probabilities are accepted too; `targets` (n, 3), probabilities over LABELS;
    `weights` (n,).
    """
    scores, shares = np.asarray(logits, np.float64), np.asarray(targets, np.float64)
    counts, truth = row_weights(weights, len(scores)), shares.argmax(axis=1)
    if not has_bias:
        return _fit(scores, shares, counts, 0.0)
    biased = _fit(scores, shares, counts, BIAS_SPREAD)
    decided = apply_calibration(scores, biased).argmax(axis=1)
    if macro_f1(truth, decided, counts) >= macro_f1(truth, scores.argmax(axis=1), counts):
        return biased
    return _fit(scores, shares, counts, 0.0)


def _fit(scores: Floats, shares: Floats, counts: Floats, bias_spread: float) -> Calibration:
    """Maximum a posteriori; a spread of zero disables the bias."""
    precision = 1 / bias_spread**2 if bias_spread else 0.0

    def loss(parameters: Floats) -> tuple[float, Floats]:
        inverse, bias = np.exp(-parameters[0]), parameters[1:]
        log_probabilities = log_softmax(scores * inverse + bias, axis=1)
        residual = counts[:, None] * (np.exp(log_probabilities) * shares.sum(axis=1, keepdims=True) - shares)
        value = -(counts[:, None] * shares * log_probabilities).sum()
        value += (parameters[0] / TEMPERATURE_SPREAD) ** 2 / 2 + precision * (bias**2).sum() / 2
        slope_temperature = -(residual * scores).sum() * inverse + parameters[0] / TEMPERATURE_SPREAD**2
        slope_bias = residual.sum(axis=0) + precision * bias
        return float(value), np.concatenate([[slope_temperature], slope_bias])

    limit = 3.0 if bias_spread else 0.0
    bounds = [(-3.0, 3.0), *[(-limit, limit)] * len(LABELS)]
    fitted = minimize(loss, np.zeros(1 + len(LABELS)), jac=True, method="L-BFGS-B", bounds=bounds).x
    bias = dict(zip(LABELS, (float(value) for value in fitted[1:]), strict=True))
    return Calibration(float(np.exp(fitted[0])), bias)
