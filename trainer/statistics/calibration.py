"""The calibration of an adapter, without NumPy: cards are read by commands that must answer at once."""

from dataclasses import dataclass
from typing import Literal

from trainer.labels import LABELS

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
