"""Differences of two models on the same labelled posts, with paired bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from trainer.labels import Label
from trainer.statistics.metrics import (
    INTERVAL,
    RESAMPLES,
    Floats,
    Labels,
    confusion_by_group,
    f1_macro,
    label_positions,
    resample,
    row_weights,
)

VIOLATION = Label.VIOLATION.position


@dataclass(frozen=True)
class Difference:
    """`interval` is that of `other` minus `one`, 95%, by a paired bootstrap of whole groups."""

    one: float
    other: float
    interval: tuple[float, float]

    @property
    def difference(self) -> float:
        return self.other - self.one


@dataclass(frozen=True)
class Differences:
    """On `posts` labelled posts; None where a figure is undefined for one of the models."""

    posts: int
    violations: int
    caught: Difference | None
    right: Difference | None
    macro_f1: Difference | None


def differences(
    one: ArrayLike,
    other: ArrayLike,
    labels: Labels,
    weights: ArrayLike | None,
    groups: Sequence[Any] | None,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Differences:
    """`one` and `other` are probabilities (n, 3) of the same rows, n >= 1."""
    truth, counts = label_positions(labels), row_weights(weights, len(labels))
    guesses = [np.asarray(scores, np.float64).argmax(axis=1) for scores in (one, other)]
    pairs = np.stack([confusion_by_group(truth, guess, counts, groups) for guess in guesses], axis=1)
    whole, resampled = pairs.sum(axis=0), resample(pairs, rng, resamples)
    return Differences(
        posts=len(truth),
        violations=int((truth == VIOLATION).sum()),
        caught=_difference(_recall(whole), _recall(resampled)),
        right=_difference(_precision(whole), _precision(resampled)),
        macro_f1=_difference(f1_macro(whole), f1_macro(resampled)),
    )


def _recall(matrices: Floats) -> Floats:
    return _ratio(matrices[..., VIOLATION, VIOLATION], matrices[..., VIOLATION, :].sum(axis=-1))


def _precision(matrices: Floats) -> Floats:
    return _ratio(matrices[..., VIOLATION, VIOLATION], matrices[..., :, VIOLATION].sum(axis=-1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def _difference(whole: Floats, resampled: Floats) -> Difference | None:
    """`whole` (2,) and `resampled` (resamples, 2) are of the two models."""
    changes = resampled[:, 1] - resampled[:, 0]
    changes = changes[~np.isnan(changes)]
    if np.isnan(whole).any() or not len(changes):
        return None
    low, high = map(float, np.percentile(changes, INTERVAL))
    change = float(whole[1] - whole[0])
    return Difference(float(whole[0]), float(whole[1]), (min(low, change), max(high, change)))
