"""How good probabilities are on labelled posts, with intervals. Pure NumPy and scikit-learn.

`labels` are names, or positions in LABELS.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve

from trainer.config import LABELS

Labels = Sequence[str] | NDArray[Any]
Floats = NDArray[np.float64]

RESAMPLES = 10_000
ECE_BINS = 15
FIXED_PRECISION = 0.9
SEVEREST = len(LABELS) - 1
INTERVAL = (2.5, 97.5)
"""Percentiles of a 95% interval."""


def macro_f1(labels: Labels, predicted: Labels, weights: ArrayLike | None = None) -> float:
    """The mean F1 of the labels that occur in `labels`; one that does not occur has no recall to speak of."""
    counts = row_weights(weights, len(labels))
    return float(f1_macro(confusion(label_positions(labels), label_positions(predicted), counts)))


def metrics(
    probabilities: ArrayLike,
    labels: Labels,
    weights: ArrayLike | None = None,
    groups: Sequence[Any] | None = None,
    *,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Everything a round reports; probabilities (n, 3), one row at least. JSON-ready: nan becomes None.

    Every figure is weighted. The interval of macro-F1 is a 95% percentile bootstrap that draws whole groups.
    Only the labels listed in `labels_counted` occur in these rows and count into macro-F1.
    """
    scores, truth = np.asarray(probabilities, np.float64), label_positions(labels)
    counts, predicted = row_weights(weights, len(truth)), scores.argmax(axis=1)
    matrix = confusion(truth, predicted, counts)
    resampled = resample(confusion_by_group(truth, predicted, counts, groups), rng)
    violation = truth == SEVEREST
    return {
        "n": len(truth),
        "macro_f1": _number(f1_macro(matrix)),
        "macro_f1_interval": [_number(bound) for bound in np.nanpercentile(f1_macro(resampled), INTERVAL)],
        "labels_counted": [label for label, row in zip(LABELS, matrix, strict=True) if row.sum() > 0],
        "accuracy": _number(np.trace(matrix) / matrix.sum()),
        "per_label": _per_label(matrix, truth),
        "violation_pr_auc": _pr_auc(violation, scores[:, SEVEREST], counts),
        "violation_recall_at_90_precision": _recall_at_precision(violation, scores[:, SEVEREST], counts),
        "ece": _number(calibration_error(scores, truth, counts)),
        "confusion": _named(matrix),
    }


def calibration_error(probabilities: Floats, truth: NDArray[Any], weights: Floats) -> float:
    """Expected calibration error over 15 equal bins of confidence (Naeini et al. 2015)."""
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, weights * (correct - confidence), minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def label_positions(labels: Labels) -> NDArray[np.int64]:
    """Positions in LABELS; raises ValueError at a name or position that is not ours."""
    if len(labels) and isinstance(labels[0], str):
        if unknown := set(labels) - set(LABELS):
            raise ValueError(f"unknown label {min(unknown)!r}; known are {', '.join(LABELS)}")
        return np.array([LABELS.index(label) for label in labels], dtype=np.int64)
    positions = np.asarray(labels, dtype=np.int64)
    if positions.size and not 0 <= positions.min() <= positions.max() < len(LABELS):
        raise ValueError(f"label positions run from 0 to {len(LABELS) - 1}")
    return positions


def row_weights(weights: ArrayLike | None, rows: int) -> Floats:
    return np.ones(rows) if weights is None else np.asarray(weights, np.float64)


def confusion(truth: NDArray[Any], predicted: NDArray[Any], weights: Floats) -> Floats:
    """(3, 3) weight of the rows by true and predicted label."""
    matrix = np.zeros((len(LABELS), len(LABELS)))
    np.add.at(matrix, (truth, predicted), weights)
    return matrix


def f1_macro(matrices: Floats) -> Floats:
    """Macro-F1 of confusion matrices (..., 3, 3), over the labels with any true row; nan without rows."""
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    true, guessed = matrices.sum(axis=-1), matrices.sum(axis=-2)
    f1 = 2 * hits / np.where(true + guessed > 0, true + guessed, 1)
    occurs = true > 0
    with np.errstate(invalid="ignore"):
        mean: Floats = (f1 * occurs).sum(axis=-1) / occurs.sum(axis=-1)
    return mean


def confusion_by_group(
    truth: NDArray[Any], predicted: NDArray[Any], weights: Floats, groups: Sequence[Any] | None
) -> Floats:
    """(groups, 3, 3) confusion matrices by first appearance; without `groups` every row is its own."""
    names = {} if groups is None else {name: at for at, name in enumerate(dict.fromkeys(groups))}
    rows = np.arange(len(truth)) if groups is None else np.array([names[name] for name in groups])
    matrices = np.zeros((rows.max(initial=-1) + 1, len(LABELS), len(LABELS)))
    np.add.at(matrices, (rows, truth, predicted), weights)
    return matrices


def resample(by_group: Floats, rng: np.random.Generator, resamples: int = RESAMPLES) -> Floats:
    """(resamples, ...) bootstrap sums of (groups, ...) arrays, drawing groups with replacement.

    Groups with equal arrays are exchangeable, so the draw is a multinomial over the few distinct ones. These
    keep their order of appearance: swapping what the arrays hold does not change what is drawn.
    """
    flat = by_group.reshape(len(by_group), -1)
    _, first, sizes = np.unique(flat, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    distinct, sizes = flat[first[order]], sizes[order]
    draws = rng.multinomial(len(flat), sizes / len(flat), size=resamples)
    return (draws @ distinct).reshape(resamples, *by_group.shape[1:])


def _per_label(matrix: Floats, truth: NDArray[Any]) -> dict[str, dict[str, Any]]:
    hits, true, guessed = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    with np.errstate(invalid="ignore"):
        precision, recall = hits / guessed, hits / true
        f1 = 2 * hits / (true + guessed)
    return {
        label: {
            "precision": _number(precision[at]),
            "recall": _number(recall[at]),
            "f1": _number(f1[at]),
            "support": int((truth == at).sum()),
        }
        for at, label in enumerate(LABELS)
    }


def _pr_auc(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> float | None:
    if not positive.any():
        return None
    return _number(average_precision_score(positive, scores, sample_weight=weights))


def _recall_at_precision(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> float | None:
    if not positive.any():
        return None
    precision, recall, _ = precision_recall_curve(positive, scores, sample_weight=weights)
    return _number(recall[precision >= FIXED_PRECISION].max())


def _named(matrix: Floats) -> dict[str, dict[str, float]]:
    return {
        true: {guess: float(matrix[row, column]) for column, guess in enumerate(LABELS)}
        for row, true in enumerate(LABELS)
    }


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
