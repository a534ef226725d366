"""How logits become confidences."""

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
    """"out-of-fold": the training rows, by models that had not seen them, and what validation rows there were."""
    rows: int = 0
    """That it was fitted on."""

    @classmethod
    def identity(cls) -> "Calibration":
        return cls(1.0, dict.fromkeys(LABELS, 0.0))


def apply_calibration(logits: ArrayLike, calibration: Calibration) -> Floats:
    """Calibrated probabilities (n, 3) of logits (n, 3), both in LABELS order."""
    bias = np.array([calibration.bias[label] for label in LABELS])
    scores = np.asarray(logits, np.float64) / calibration.temperature + bias
    powers: Floats = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities: Floats = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
