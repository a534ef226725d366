"""The labels, and everything about a training that a person may choose."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from trainer.errors import TrainerError

LABELS: tuple[str, ...] = ("normal", "suspicious", "violation")
"""In order of severity. The name is the truth; the number is only a position in this tuple."""


REFERENCE_WIDTH = 768
MOST_SCALING = 4.0


@dataclass(frozen=True)
class TrainConfig:
    """How to train one adapter. Together with the data it is enough to make the adapter again."""

    base: str = "starter"
    learning_rate: float = 3e-4
    """For an encoder 768 wide; see `rate_for`."""
    warmup: float = 0.06
    """Share of the steps over which the learning rate climbs; it falls linearly to zero afterwards."""
    weight_decay: float = 0.01
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.1
    batch_size: int = 16
    max_length: int = 128
    """Tokens; longer posts are cut."""
    max_epochs: int = 30
    min_steps: int = 300
    """Small sets run more epochs than `max_epochs` until they have made this many steps."""
    max_steps: int = 20_000
    patience: int = 5
    """Epochs without a better validation macro-F1 before training stops."""
    max_label_weight: float = 5.0
    """Cap on the weight of a rare label relative to the commonest one; 1 turns weighting off."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "rank", "alpha", "batch_size", "max_epochs", "max_steps", "patience"):
            if not 0 < getattr(self, name) < float("inf"):
                raise TrainerError(f"{name} must be a number above zero, not {getattr(self, name)}")
        for name in ("warmup", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise TrainerError(f"{name} must be from 0 to below 1, not {getattr(self, name)}")
        if self.max_length < 3:
            raise TrainerError(f"max_length must leave room for text, at least 3, not {self.max_length}")
        if self.max_label_weight < 1 or self.weight_decay < 0 or self.min_steps < 0:
            raise TrainerError("max_label_weight must be at least 1, weight_decay and min_steps not below 0")

    def rate_for(self, hidden_size: int) -> float:
        """The peak learning rate for an encoder of this width: narrower ones need more.

        Under Adam the best rate falls with the width (Yang et al. 2022, Tensor Programs V). What was measured
        here is in docs/benchmarks.md.
        """
        return self.learning_rate * min(MOST_SCALING, max(1.0, REFERENCE_WIDTH / hidden_size))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read back `to_dict`; settings left out keep their defaults, unknown ones are refused."""
        types: dict[str, type] = {field.name: type(field.default) for field in fields(cls)}
        read: dict[str, Any] = {}
        for name, value in values.items():
            if name not in types:
                raise TrainerError(f"unknown training setting {name!r}; known are {', '.join(types)}")
            wanted = types[name]
            fits = isinstance(value, (int, float) if wanted is float else wanted)
            if not fits or isinstance(value, bool):
                raise TrainerError(f"{name} must be {wanted.__name__}, not {value!r}")
            read[name] = wanted(value)
        return cls(**read)


def quick(config: TrainConfig) -> TrainConfig:
    """The same training cut down to a trial: about a minute on two cores with the starter encoder."""
    return replace(config, max_epochs=4, min_steps=80, max_steps=200, patience=4)
