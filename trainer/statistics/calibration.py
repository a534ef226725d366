"""From logits to calibrated probabilities."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from trainer.config import LABELS
from trainer.statistics.metrics import Floats

FittedOn = Literal["nothing", "validation", "out-of-fold"]


@dataclass(frozen=True)
class Calibration:
    """Probabilities are softmax(logits / temperature + bias); `bias` is by label name."""

    temperature: float
    bias: dict[str, float]
    fitted_on: FittedOn = "nothing"
    """`out-of-fold`: on validation rows and on training rows scored by models that had not seen them."""
    rows: int = 0
    """Number of rows it was fitted on."""

    @classmethod
    def identity(cls) -> "Calibration":
        return cls(1.0, dict.fromkeys(LABELS, 0.0))


def apply_calibration(logits: ArrayLike, calibration: Calibration) -> Floats:
    """(n, 3) probabilities of logits (n, 3), both in LABELS order."""
    bias = np.array([calibration.bias[label] for label in LABELS])
    scores = np.asarray(logits, np.float64) / calibration.temperature + bias
    powers: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
