"""The figures of a round for people: each with its interval, and none from too few test posts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainer.labels import Label
from trainer.statistics.proportions import Interval
from workbench.rounds.gate import FEWEST_POSTS, FEWEST_VIOLATIONS


@dataclass(frozen=True)
class Figure:
    """An estimate from test posts; `interval` is 95% and contains it."""

    value: float
    interval: Interval | None = None

    @classmethod
    def of(cls, value: float | None, interval: object = None) -> "Figure | None":
        if value is None:
            return None
        low, high = interval if isinstance(interval, list | tuple) else (None, None)
        if low is None or high is None:
            return cls(value)
        # The resamples of a biased figure, as the calibration error is, can lie on one side of it.
        return cls(value, (min(low, value), max(high, value)))


@dataclass(frozen=True)
class Measured:
    """`caught` is the recall of violations, `right` their precision.

    Figures are None if they are undefined, or come from fewer posts than decide anything in the gate.
    """

    posts: int
    violations: int
    caught: Figure | None
    right: Figure | None
    macro_f1: Figure | None
    calibration_error: Figure | None
    linear_macro_f1: Figure | None

    @property
    def is_enough(self) -> bool:
        return self.posts >= FEWEST_POSTS


def read_measured(metrics: Mapping[str, Any] | None) -> Measured | None:
    """From the metrics of `lifecycle.describe`; None for a round that was not measured."""
    if not metrics:
        return None
    violation = metrics.get("per_label", {}).get(Label.VIOLATION.value, {})
    support = int(violation.get("support", 0))
    is_enough = metrics["n"] >= FEWEST_POSTS
    of_violations = violation if is_enough and support >= FEWEST_VIOLATIONS else {}
    of_all = metrics if is_enough else {}
    intervals = {"macro_f1": metrics.get("macro_f1_interval"), **metrics.get("intervals", {})}
    return Measured(
        posts=metrics["n"],
        violations=support,
        caught=_figure(of_violations, "recall", of_violations.get("intervals", {})),
        right=_figure(of_violations, "precision", of_violations.get("intervals", {})),
        macro_f1=_figure(of_all, "macro_f1", intervals),
        calibration_error=_figure(of_all, "ece", intervals),
        linear_macro_f1=_figure(of_all, "linear_macro_f1", {}),
    )


def _figure(values: Mapping[str, Any], name: str, intervals: Mapping[str, Any]) -> Figure | None:
    return Figure.of(values.get(name), intervals.get(name))
