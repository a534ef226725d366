"""The settings of a training."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from trainer.errors import TrainerError

STEADY_VALIDATION_ROWS = 150
"""With fewer validation rows, the choice of the epoch and the calibration are imprecise."""
ALL_LINEAR = "all-linear"
REFERENCE_WIDTH = 768
MOST_SCALING = 4.0
MOST_RANK = 1024
"""Beyond this rank LoRA saves nothing, and a mistyped number would exhaust the memory."""
FEWEST_FOLDS, MOST_FOLDS = 3, 10
"""Two folds train on too few rows: confidences calibrated on them were worse than uncalibrated ones (measured)."""


@dataclass(frozen=True)
class TrainConfig:
    base: str = "starter"
    learning_rate: float = 3e-4
    """For an encoder of width 768; see `rate_for`."""
    scale_rate: bool = True
    """Whether narrower encoders get a higher rate; see `rate_for`."""
    warmup: float = 0.06
    """Share of the steps with a rising learning rate; afterwards it falls linearly to zero."""
    weight_decay: float = 0.01
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.1
    """Before the adapter; the base has dropout of its own."""
    target_modules: str = ALL_LINEAR
    """Layers with an adapter: "all-linear", or comma-separated names such as `query,value`."""
    train_pooler: bool = True
    """Whether to train the pooler below the classifier, if the base has one."""
    probed_head: bool = False
    """Whether the classifier starts from logistic regression on the vectors of the base instead of random weights."""
    focal_gamma: float = 0.0
    """Above zero, posts that are classified well count less (Lin et al. 2017); 0 is cross-entropy."""
    eight_bit: bool = False
    """Keep the frozen base in 8 bits during training: bitsandbytes, only on a CUDA GPU."""
    batch_size: int = 16
    max_length: int = 128
    """Tokens; longer posts are truncated."""
    max_epochs: int = 5
    min_steps: int = 100
    """Small training sets run more than `max_epochs` epochs, until this many steps."""
    max_steps: int = 20_000
    patience: int = 5
    """Epochs without a better validation macro-F1 before training stops."""
    max_label_weight: float = 5.0
    """Largest weight of a rare label relative to the most common one; 1 disables weighting."""
    calibration_folds: int = 3
    """Additional trainings, each without one fold, if there are too few validation rows to calibrate on; 0 for none."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "rank", "alpha", "batch_size", "max_epochs", "max_steps", "patience"):
            if not 0 < getattr(self, name) < float("inf"):
                raise TrainerError(
                    "{name} must be a number above zero, not {value}", name=name, value=getattr(self, name)
                )
        if self.rank > MOST_RANK:
            raise TrainerError("rank must be {most} at most, not {value}", most=MOST_RANK, value=self.rank)
        if self.calibration_folds not in (0, *range(FEWEST_FOLDS, MOST_FOLDS + 1)):
            raise TrainerError(
                "calibration_folds must be 0 or from {fewest} to {most}, not {value}",
                fewest=FEWEST_FOLDS,
                most=MOST_FOLDS,
                value=self.calibration_folds,
            )
        for name in ("warmup", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise TrainerError(
                    "{name} must be from 0 to below 1, not {value}", name=name, value=getattr(self, name)
                )
        if self.max_length < 3:
            raise TrainerError(
                "max_length must leave room for text, at least 3, not {value}", value=self.max_length
            )
        for name, least in (
            ("max_label_weight", 1),
            ("weight_decay", 0),
            ("min_steps", 0),
            ("focal_gamma", 0),
        ):
            if not least <= getattr(self, name) < float("inf"):
                raise TrainerError(
                    "{name} must be a number, {least} or more, not {value}",
                    name=name,
                    least=least,
                    value=getattr(self, name),
                )
        if not all(self.modules()):
            raise TrainerError(
                "target_modules must be {all} or names of layers with commas between, not {value}",
                all=repr(ALL_LINEAR),
                value=repr(self.target_modules),
            )

    def rate_for(self, hidden_size: int) -> float:
        """The peak learning rate for an encoder of this width: narrower encoders need a higher one.

        Under Adam the best rate falls with the width (Yang et al. 2022, Tensor Programs V).
        docs/benchmarks.md has the measurements.
        """
        if not self.scale_rate:
            return self.learning_rate
        return self.learning_rate * min(MOST_SCALING, max(1.0, REFERENCE_WIDTH / hidden_size))

    def modules(self) -> list[str]:
        return [name.strip() for name in self.target_modules.split(",")]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Inverse of `to_dict`. Missing settings get their defaults; raises TrainerError for unknown ones."""
        types: dict[str, type] = {field.name: type(field.default) for field in fields(cls)}
        read: dict[str, Any] = {}
        for name, value in values.items():
            if name not in types:
                raise TrainerError(
                    "unknown training setting {name}; known are {known}",
                    name=repr(name),
                    known=", ".join(types),
                )
            wanted = types[name]
            fits = isinstance(value, (int, float) if wanted is float else wanted)
            if not fits or isinstance(value, bool) != (wanted is bool):
                raise TrainerError(
                    "{name} must be {kind}, not {value}", name=name, kind=wanted.__name__, value=repr(value)
                )
            read[name] = wanted(value)
        return cls(**read)


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "note": {
        "learning_rate": 2e-5,
        "scale_rate": False,
        "warmup": 0.0,
        "weight_decay": 0.0,
        "target_modules": "query,value",
        "train_pooler": False,
        "batch_size": 32,
        "max_epochs": 3,
        "min_steps": 0,
        "max_label_weight": 1.0,
        "calibration_folds": 0,
    },
}
"""Settings by name. "note" is the original recipe of this project, with the defaults of transformers' Trainer
where it was silent; `docs/training.md` compares it with the default.
"""


def quick(config: TrainConfig) -> TrainConfig:
    """A shortened trial: about a minute on two cores with the starter encoder. It trains no calibration folds, so with
    few validation rows its calibration is rough or missing; its card says which."""
    return replace(config, max_epochs=4, min_steps=80, max_steps=200, patience=4, calibration_folds=0)


def planned_steps(rows: int, config: TrainConfig) -> int:
    an_epoch = math.ceil(rows / config.batch_size)
    epochs = max(config.max_epochs, math.ceil(config.min_steps / an_epoch))
    return min(epochs * an_epoch, config.max_steps)
