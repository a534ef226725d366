"""How much macro-F1 one set of predictions has over another on the same rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trainer.statistics.metrics import INTERVAL, RESAMPLES, Floats, confusion_by_group, f1_macro, resample


@dataclass(frozen=True)
class Gain:
    """Differences are the first model minus the other, from -1 to 1."""

    own: float
    other: float
    interval: tuple[float, float]
    """95%, by a paired bootstrap of whole groups."""

    @property
    def difference(self) -> float:
        return self.own - self.other

    @property
    def is_proven(self) -> bool:
        return self.difference > 0 and self.interval[0] > 0

    def to_dict(self) -> dict[str, Any]:
        return {"own": self.own, "other": self.other, "interval": list(self.interval)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        low, high = values["interval"]
        return cls(values["own"], values["other"], (low, high))


def gain(
    own: NDArray[Any],
    other: NDArray[Any],
    truth: NDArray[np.int64],
    weights: Floats,
    groups: Sequence[Any] | None,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Gain:
    """`own`, `other` and `truth` are positions in LABELS, (n,) with n >= 1."""
    pairs = np.stack(
        [confusion_by_group(truth, guess, weights, groups) for guess in (other, own)], axis=1
    )  # the champion first, as the draws of a comparison depend on the order
    whole, resampled = f1_macro(pairs.sum(axis=0)), f1_macro(resample(pairs, rng, resamples))
    low, high = np.nanpercentile(resampled[:, 1] - resampled[:, 0], INTERVAL)
    return Gain(float(whole[1]), float(whole[0]), (float(low), float(high)))
