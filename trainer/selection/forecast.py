"""Expected gain of the next labels, from the learning curve so far.

The curve is a power law, F(n) = a - b n^-c, the usual shape of a score against the number of training rows
(Figueroa et al. 2012, "Predicting sample size required for classification performance"). A least-squares fit
to two to six noisy points gives no usable error, so the forecast is a posterior: all curves of a grid,
weighted by their likelihood, under weak priors that keep one or two points from promising anything.

The grid is parametrised by the best-observed quantity, the slope at the newest point: F(n) = f + s h(log(n /
newest)) with h(u) = (1 - exp(-c u)) / c. Then a = f + s / c and b = (s / c) newest^c; c = 0 is a logarithm,
and c < 0 a curve that still accelerates, as after very few labels. Real curves are not exact power laws, so
the slope also drifts by a random walk over log(labels), the model behind a smoothing spline. Without the
drift the 95% intervals were too narrow after ten rounds; `docs/next-hundred.md` has the check against curves
whose gain is known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]

SLOPES = np.concatenate([[0.0], np.geomspace(0.001, 0.6, 44)])
"""Gain of macro-F1 while the labels grow e-fold (2.7 times), at the newest point."""
SLOPE_SCALE = 0.06
"""Mean of the exponential prior of the slope: macro-F1 rises by less than 1, most of it within five or six e-folds."""
FLAT = 0.1
"""Prior probability of no further gain; without it no interval could reach zero."""
BENDS = np.linspace(-2.0, 4.0, 13)
BEND_MEAN, BEND_SPREAD = 0.0, 0.8
"""Normal prior of c: published curves have 0 to 1, the beginnings of S-shaped curves less than 0."""
WOBBLES = np.geomspace(0.002, 0.064, 6)
WOBBLE_MEDIAN, WOBBLE_SPREAD = 0.005, 0.8
"""Log-normal prior of the noise between runs: another seed, another draw of equally many labels."""
DRIFTS = np.geomspace(0.005, 0.64, 6)
DRIFT_MEDIAN, DRIFT_SPREAD = 0.03, 1.0
"""Log-normal prior of the standard deviation of the slope's drift over one e-fold."""
SHARED = 0.8
"""Correlation of the measurement errors of two rounds, which share most test posts; 0.8 to 0.9 on real curves."""
DEVIATES = np.array([-2.1, -1.2, -0.55, 0.0, 0.55, 1.2, 2.1])
"""Grid of the drift ahead, in standard deviations."""


@dataclass(frozen=True)
class Gain:
    """Gain of the underlying curve, in macro-F1 (0.01 is one point).

    This is not the difference of two measured rounds: the next measurement has noise that these intervals do
    not include, and may be lower.
    """

    mean: float
    interval: Interval
    """95%."""
    likely: Interval
    """80%."""


def expected_gain(
    labels: Sequence[int],
    scores: Sequence[float],
    errors: Sequence[float],
    *,
    more: int = 100,
    since: int | None = None,
) -> Gain:
    """The gain from `since` labels (default: the newest point) to `since + more`.

    `labels` (k,) are numbers of training labels, `scores` (k,) macro-F1 and `errors` (k,) standard errors
    from the test rows, in any order, k >= 1. Deterministic and never below zero: a falling curve is treated
    as noise. Raises ValueError without points, or if a point has no label, no finite score or no positive
    error.
    """
    counts, observed, spread = (np.asarray(values, np.float64) for values in (labels, scores, errors))
    if not len(counts) == len(observed) == len(spread) > 0:
        raise ValueError("a curve needs one point at least, and labels, score and error of each")
    if not (counts.min() >= 1 and spread.min() > 0 and np.isfinite([counts, observed, spread]).all()):
        raise ValueError("every point needs one label at least, a score, and an error above zero")
    newest = counts.max()
    level, weights = _posterior(np.log(counts / newest), observed, spread)
    start = max(newest, since or 0)
    gains, shares = _ahead(np.log(np.array([start, start + more]) / newest))
    # Macro-F1 ends at 1 and the curve does not fall. Shared noise can put the level outside 0 to 1.
    room = min(max(1.0 - level, 0.0), 1.0)
    return _summary(np.clip(gains, 0.0, room), weights[..., None] * shares)


def _ahead(logs: Floats) -> tuple[Floats, Floats]:
    """Gain between two places ahead of the newest point, (drifts, bends, slopes, deviates), and each
    deviate's weight.
    """
    steady = np.diff(_bent(logs)) * SLOPES
    (before, both), (_, after) = _walk(logs)
    drift = DRIFTS * np.sqrt(max(before + after - 2 * both, 0.0))
    gains = steady[None, :, :, None] + drift[:, None, None, None] * DEVIATES
    return gains, np.exp(_log_normal(DEVIATES, 0.0, 1.0))


def _bent(logs: Floats) -> Floats:
    """h(logs) for every c, (bends, k)."""
    bends = np.where(BENDS == 0, 1e-9, BENDS)[:, None]
    return np.asarray(-np.expm1(-bends * logs) / bends)


def _walk(logs: Floats) -> Floats:
    """(k, k) covariance of an integrated random walk of unit drift (Wahba 1978).

    All places lie on one side of the newest point, where the walk starts at zero; the two sides are
    independent.
    """
    far = np.abs(logs)
    near, farther = np.minimum.outer(far, far), np.maximum.outer(far, far)
    return np.asarray(near**2 * (3 * farther - near) / 6)


def _posterior(logs: Floats, observed: Floats, spread: Floats) -> tuple[float, Floats]:
    """The level at the newest point, and weights (drifts, bends, slopes).

    The noise is summed over its grid; the level is integrated out under a flat prior.
    """
    measured = SHARED * np.outer(spread, spread) + (1 - SHARED) * np.diag(spread**2)
    noise = measured + WOBBLES[:, None, None, None] ** 2 * np.eye(len(logs))
    covariance = noise + DRIFTS[:, None, None] ** 2 * _walk(logs)
    precision = np.linalg.inv(covariance)
    sums = precision.sum(axis=-1)
    total = sums.sum(axis=-1)
    levels = sums @ observed / total
    precision -= sums[..., :, None] * sums[..., None, :] / total[..., None, None]
    scale = np.linalg.slogdet(covariance)[1] + np.log(total)
    fit = _misfits(np.asarray(precision), observed, _bent(logs)) + scale[..., None, None]
    logged = _log_prior() - 0.5 * fit
    weights = np.exp(logged - logged.max())
    weights /= weights.sum()
    return float((weights.sum(axis=(2, 3)) * levels).sum()), np.asarray(weights.sum(axis=0))


def _misfits(precision: Floats, observed: Floats, shapes: Floats) -> Floats:
    """(wobbles, drifts, bends, slopes) squared distance of the points from s h, which is quadratic in s."""
    towards = precision @ shapes.T
    squares, crossed, plain = (
        (shapes.T * towards).sum(axis=-2),
        observed @ towards,
        (precision @ observed) @ observed,
    )
    return np.asarray(
        plain[..., None, None] - 2 * crossed[..., None] * SLOPES + squares[..., None] * SLOPES**2
    )


def _log_prior() -> Floats:
    """(wobbles, drifts, bends, slopes)."""
    slopes = np.exp(-SLOPES / SLOPE_SCALE) * np.gradient(SLOPES)
    slopes[0] = slopes[1:].sum() * FLAT / (1 - FLAT)
    bends = _log_normal(BENDS, BEND_MEAN, BEND_SPREAD)
    wobbles = _log_normal(np.log(WOBBLES), np.log(WOBBLE_MEDIAN), WOBBLE_SPREAD)
    drifts = _log_normal(np.log(DRIFTS), np.log(DRIFT_MEDIAN), DRIFT_SPREAD)
    return np.asarray(wobbles[:, None, None, None] + drifts[:, None, None] + bends[:, None] + np.log(slopes))


def _log_normal(values: Floats, mean: float, spread: float) -> Floats:
    """Log weights of a normal distribution on a grid; they sum to 1."""
    shares = np.exp(-0.5 * ((values - mean) / spread) ** 2) * np.gradient(values)
    return np.asarray(np.log(shares / shares.sum()))


def _summary(gains: Floats, shares: Floats) -> Gain:
    values, weights = gains.ravel(), shares.ravel()
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    places = np.searchsorted(reached, np.array([0.025, 0.1, 0.9, 0.975]) * reached[-1])
    low, lower, upper, high = map(float, values[order][places])
    # The mean of a skewed posterior can lie outside its interval, where it says nothing.
    return Gain(min(max(float(values @ weights), low), high), (low, high), (lower, upper))
