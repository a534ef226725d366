"""What labelled rows say of a model beside the two simplest alternatives: the linear baseline and one label for all."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from trainer.labels import LABELS, Label
from trainer.statistics.gain import Gain, gain
from trainer.statistics.metrics import RESAMPLES, Labels, label_positions


@dataclass(frozen=True)
class Evidence:
    """Near-copies count as one post."""

    posts: int
    violations: int
    linear: Gain | None
    """Over the linear baseline, None without one."""
    majority: Gain
    """Over the label that most of these rows have, given to each."""

    @property
    def macro_f1(self) -> float:
        return self.majority.own

    def to_dict(self) -> dict[str, Any]:
        return {
            "posts": self.posts,
            "violations": self.violations,
            "linear": None if self.linear is None else self.linear.to_dict(),
            "majority": self.majority.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        linear = values["linear"]
        return cls(
            values["posts"],
            values["violations"],
            None if linear is None else Gain.from_dict(linear),
            Gain.from_dict(values["majority"]),
        )


def evidence(
    predicted: NDArray[Any],
    linear: NDArray[Any] | None,
    labels: Labels,
    weights: NDArray[np.float64],
    groups: Sequence[Any],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Evidence:
    """`predicted` and `linear` are positions in LABELS, (n,) with n >= 1."""
    truth = label_positions(labels)
    commonest = np.bincount(truth, weights, minlength=len(LABELS)).argmax()

    def over(other: NDArray[Any]) -> Gain:
        return gain(predicted, other, truth, weights, groups, rng=rng, resamples=resamples)

    of_group = Counter(
        group for group, at in zip(groups, truth, strict=True) if at == Label.VIOLATION.position
    )
    return Evidence(
        posts=len(set(groups)),
        violations=len(of_group),
        linear=None if linear is None else over(linear),
        majority=over(np.full(len(truth), commonest)),
    )
