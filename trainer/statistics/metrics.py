"""Metrics of probabilities on labelled posts, with bootstrap intervals.

`labels` are names, or positions in LABELS.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.labels import LABELS, Label

Labels = Sequence[str] | NDArray[Any]
Floats = NDArray[np.float64]

RESAMPLES = 10_000
RANK_RESAMPLES = 1_000
"""For figures that need every row of a resample and not only its confusion matrix."""
CHANCE_DRAWS = 200
CHUNK = 2**22
"""Numbers held in memory at once during such a resampling."""
ECE_BINS = 15
FIXED_PRECISION = 0.9
INTERVAL = (2.5, 97.5)
"""Percentiles of a 95% interval."""


def macro_f1(labels: Labels, predicted: Labels, weights: ArrayLike | None = None) -> float:
    """Mean F1 over the labels that occur in `labels`; the recall of an absent label is undefined."""
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
    """The metrics of a round's report, ready for JSON (nan becomes None). probabilities (n, 3), n >= 1.

    All figures are weighted. `intervals` are 95% percentile bootstraps over whole groups; resamples in which
    a figure is undefined are ignored. Macro-F1 counts only `labels_counted`, the labels that occur in these
    rows.
    """
    scores, truth = np.asarray(probabilities, np.float64), label_positions(labels)
    counts, predicted = row_weights(weights, len(truth)), scores.argmax(axis=1)
    matrix = confusion(truth, predicted, counts)
    matrices = resample(confusion_by_group(truth, predicted, counts, groups), rng)
    figures = _of_rows(scores, truth, counts[None])
    resampled = _resample_rows(scores, truth, counts, groups, rng)
    bounds = {"macro_f1": _interval(f1_macro(matrices)), "accuracy": _interval(_accuracy(matrices))}
    bounds |= {name: _interval(values) for name, values in resampled.items()}
    return {
        "n": len(truth),
        "macro_f1": _number(f1_macro(matrix)),
        "macro_f1_interval": bounds["macro_f1"],
        "labels_counted": [label for label, row in zip(LABELS, matrix, strict=True) if row.sum() > 0],
        "accuracy": _number(_accuracy(matrix)),
        "per_label": _per_label(matrix, matrices, truth),
        **{name: _number(values[0]) for name, values in figures.items()},
        "intervals": bounds,
        "confusion": _named(matrix),
    }


def calibration_error(
    probabilities: ArrayLike,
    labels: Labels,
    weights: ArrayLike | None = None,
    groups: Sequence[Any] | None = None,
    *,
    rng: np.random.Generator,
) -> tuple[float | None, list[float | None]]:
    """Expected calibration error over 15 equal bins of confidence (Naeini et al. 2015), with its 95% interval."""
    scores, truth = np.asarray(probabilities, np.float64), label_positions(labels)
    counts = row_weights(weights, len(truth))
    resampled = _resample_rows(scores, truth, counts, groups, rng, ("ece",))
    return _number(_of_rows(scores, truth, counts[None], ("ece",))["ece"][0]), _interval(resampled["ece"])


def calibration_errors(
    pair: Sequence[ArrayLike],
    labels: Labels,
    weights: ArrayLike | None,
    groups: Sequence[Any] | None,
    *,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """Expected calibration errors of k sets of probabilities (n, 3) over the same rows.

    Returns the errors (k,), their resamples (k, resamples), where resample j has the same rows for all k, and
    the errors (k,) that perfectly calibrated confidences would show by chance; these grow with the spread of
    the confidences.
    """
    truth = label_positions(labels)
    counts, seed = row_weights(weights, len(truth)), int(rng.integers(2**32))
    arrays = [np.asarray(scores, np.float64) for scores in pair]
    errors = [_of_rows(scores, truth, counts[None], ("ece",))["ece"][0] for scores in arrays]
    resampled = [
        _resample_rows(scores, truth, counts, groups, np.random.default_rng(seed), ("ece",))["ece"]
        for scores in arrays
    ]
    by_chance = [_calibration_by_chance(scores, counts, np.random.default_rng(seed)) for scores in arrays]
    return np.array(errors), np.stack(resampled), np.array(by_chance)


def _calibration_by_chance(scores: Floats, counts: Floats, rng: np.random.Generator) -> float:
    """Mean error of rows that are correct exactly as often as their confidence states."""
    confidence = scores.max(axis=1)
    by_bin = np.zeros((len(scores), ECE_BINS))
    by_bin[np.arange(len(scores)), _confidence_bins(scores)] = counts
    draws = [(rng.random(len(scores)) < confidence) - confidence for _ in range(CHANCE_DRAWS)]
    return float((np.abs(np.stack(draws) @ by_bin).sum(axis=1) / counts.sum()).mean())


def reliability(probabilities: ArrayLike, labels: Labels, weights: ArrayLike | None = None) -> Floats:
    """(bins, 3): weight, mean confidence and accuracy of each bin of confidence; nan where a bin is empty."""
    scores, truth = np.asarray(probabilities, np.float64), label_positions(labels)
    counts = row_weights(weights, len(truth))
    confidence, bins = scores.max(axis=1), _confidence_bins(scores)
    right = scores.argmax(axis=1) == truth
    held, sure, true = (
        np.bincount(bins, counts * values, minlength=ECE_BINS) for values in (1, confidence, right)
    )
    with np.errstate(invalid="ignore"):
        return np.stack([held, sure / held, true / held], axis=1)


def _confidence_bins(scores: Floats) -> NDArray[np.int64]:
    bins: NDArray[np.int64] = np.minimum((scores.max(axis=1) * ECE_BINS).astype(int), ECE_BINS - 1)
    return bins


def label_positions(labels: Labels) -> NDArray[np.int64]:
    """Positions in LABELS. Raises ValueError for an unknown name or position."""
    if len(labels) and isinstance(labels[0], str):
        if unknown := set(labels) - set(LABELS):
            raise ValueError(f"unknown label {min(unknown)!r}; known are {', '.join(LABELS)}")
        return np.array([Label(label).position for label in labels], dtype=np.int64)
    positions = np.asarray(labels, dtype=np.int64)
    if positions.size and not 0 <= positions.min() <= positions.max() < len(LABELS):
        raise ValueError(f"label positions run from 0 to {len(LABELS) - 1}")
    return positions


def row_weights(weights: ArrayLike | None, rows: int) -> Floats:
    return np.ones(rows) if weights is None else np.asarray(weights, np.float64)


def confusion(truth: NDArray[Any], predicted: NDArray[Any], weights: Floats) -> Floats:
    matrix = np.zeros((len(LABELS), len(LABELS)))
    np.add.at(matrix, (truth, predicted), weights)
    return matrix


def f1_macro(matrices: Floats) -> Floats:
    """Macro-F1 of confusion matrices (..., 3, 3) over the labels that occur; nan without rows."""
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
    """(groups, 3, 3), by first appearance; without `groups` every row is a group."""
    rows = _group_numbers(groups, len(truth))
    matrices = np.zeros((rows.max(initial=-1) + 1, len(LABELS), len(LABELS)))
    np.add.at(matrices, (rows, truth, predicted), weights)
    return matrices


def _group_numbers(groups: Sequence[Any] | None, rows: int) -> NDArray[np.int64]:
    """(rows,) group numbers, by first appearance."""
    if groups is None:
        return np.arange(rows)
    names = {name: at for at, name in enumerate(dict.fromkeys(groups))}
    return np.array([names[name] for name in groups], dtype=np.int64)


def resample(by_group: Floats, rng: np.random.Generator, resamples: int = RESAMPLES) -> Floats:
    """(resamples, ...) bootstrap sums of (groups, ...) arrays, drawing groups with replacement.

    Groups with equal arrays are exchangeable, so the draw is a multinomial over the distinct ones. They keep
    their order of appearance, so that the draw depends only on which groups are equal and not on their
    values.
    """
    flat = by_group.reshape(len(by_group), -1)
    _, first, sizes = np.unique(flat, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    distinct, sizes = flat[first[order]], sizes[order]
    draws = rng.multinomial(len(flat), sizes / len(flat), size=resamples)
    return (draws @ distinct).reshape(resamples, *by_group.shape[1:])


ROW_FIGURES = ("violation_pr_auc", "violation_recall_at_90_precision", "ece")


def _resample_rows(
    scores: Floats,
    truth: NDArray[Any],
    counts: Floats,
    groups: Sequence[Any] | None,
    rng: np.random.Generator,
    names: Sequence[str] = ROW_FIGURES,
) -> dict[str, Floats]:
    """Each figure of each resample, (RANK_RESAMPLES,)."""
    members = _group_numbers(groups, len(truth))
    total = members.max() + 1
    at_once = max(1, CHUNK // len(truth))
    parts = []
    for start in range(0, RANK_RESAMPLES, at_once):
        draws = rng.multinomial(total, np.full(total, 1 / total), size=min(at_once, RANK_RESAMPLES - start))
        parts.append(_of_rows(scores, truth, draws[:, members] * counts, names))
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _of_rows(
    scores: Floats, truth: NDArray[Any], weights: Floats, names: Sequence[str] = ROW_FIGURES
) -> dict[str, Floats]:
    """Figures that depend on every row, under m weightings (m, n); (m,) each."""
    figures: dict[str, Floats] = {}
    if "ece" in names:
        gaps = (scores.argmax(axis=1) == truth) - scores.max(axis=1)
        by_bin = np.zeros((len(truth), ECE_BINS))
        by_bin[np.arange(len(truth)), _confidence_bins(scores)] = gaps
        figures["ece"] = np.abs(weights @ by_bin).sum(axis=1) / weights.sum(axis=1)
    if "violation_pr_auc" in names:
        precision, recall = _precision_recall(
            truth == Label.VIOLATION.position, scores[:, Label.VIOLATION.position], weights
        )
        steps = np.diff(recall, axis=1, prepend=0)
        figures["violation_pr_auc"] = (precision * steps).sum(axis=1)
        reached = np.where(precision >= FIXED_PRECISION, recall, 0).max(axis=1)
        figures["violation_recall_at_90_precision"] = np.where(np.isnan(recall[:, -1]), np.nan, reached)
    return figures


def _precision_recall(positive: NDArray[np.bool_], scores: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Precision and recall at each distinct score, highest first, (m, thresholds) each.

    As in scikit-learn, but for many weightings at once; recall is nan without positive rows.
    """
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = (weights * positive)[:, order].cumsum(axis=1)[:, ends]
    taken = weights[:, order].cumsum(axis=1)[:, ends]
    with np.errstate(invalid="ignore"):
        return np.where(taken > 0, hits / taken, 1.0), hits / hits[:, -1:]


def _accuracy(matrices: Floats) -> Floats:
    share: Floats = np.trace(matrices, axis1=-2, axis2=-1) / matrices.sum(axis=(-2, -1))
    return share


def _per_label(matrix: Floats, matrices: Floats, truth: NDArray[Any]) -> dict[str, dict[str, Any]]:
    figures, resampled = _precision_recall_f1(matrix), _precision_recall_f1(matrices)
    return {
        label: {name: _number(values[at]) for name, values in figures.items()}
        | {"support": int((truth == at).sum())}
        | {"intervals": {name: _interval(values[:, at]) for name, values in resampled.items()}}
        for at, label in enumerate(LABELS)
    }


def _precision_recall_f1(matrices: Floats) -> dict[str, Floats]:
    """By label, (..., 3) each, from confusion matrices (..., 3, 3)."""
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    true, guessed = matrices.sum(axis=-1), matrices.sum(axis=-2)
    with np.errstate(invalid="ignore"):
        return {"precision": hits / guessed, "recall": hits / true, "f1": 2 * hits / (true + guessed)}


def _named(matrix: Floats) -> dict[str, dict[str, float]]:
    return {
        true: {guess: float(matrix[row, column]) for column, guess in enumerate(LABELS)}
        for row, true in enumerate(LABELS)
    }


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)


def _interval(values: Floats) -> list[float | None]:
    """95% percentile interval; [None, None] if no resample defines the figure."""
    defined = values[~np.isnan(values)]
    return [None, None] if not len(defined) else [float(bound) for bound in np.percentile(defined, INTERVAL)]
