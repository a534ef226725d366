"""Champion against challenger on the same labelled posts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainer.messages import Message
from trainer.statistics.gain import gain
from trainer.statistics.metrics import (
    INTERVAL,
    RESAMPLES,
    Labels,
    calibration_errors,
    label_positions,
    row_weights,
)
from trainer.statistics.violations import AtEqualFlags, at_equal_flags

Outcome = Literal["better", "worse", "undecided"]

CALIBRATION_MARGIN = 0.02
"""A growth of the calibration error up to this does not count against a challenger."""
CALIBRATION_GROUPS = 1_000
"""With fewer groups of test rows, errors of this size arise by chance: they do not count against a challenger."""


@dataclass(frozen=True)
class CalibrationErrors:
    champion: float
    challenger: float
    interval: tuple[float, float]
    """95%, of challenger minus champion, by a paired bootstrap of whole groups, less the part that chance adds.

    An error is never negative, so noise increases it, more so for confidences that spread wider, and a
    bootstrap adds that noise a second time. Both parts are subtracted. That is too much where an error is
    real, so the test is conservative.
    """
    groups: int

    @property
    def is_proven_worse(self) -> bool:
        return self.groups >= CALIBRATION_GROUPS and self.interval[0] > 0 and self._grown > CALIBRATION_MARGIN

    @property
    def _grown(self) -> float:
        return self.challenger - self.champion


@dataclass(frozen=True)
class Comparison:
    """Evidence of the test rows for replacing the champion. Differences are challenger minus champion."""

    outcome: Outcome
    difference: float
    """Macro-F1, from -1 to 1."""
    interval: tuple[float, float]
    """95%, by a paired bootstrap of whole groups."""
    smallest_difference: float
    """Half the width of the interval: a smaller true difference cannot show on these rows."""
    violations: AtEqualFlags
    calibration: CalibrationErrors
    reasons: tuple[Message, ...]
    n: int

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "interval": list(self.interval),
            "reasons": [reason.to_dict() for reason in self.reasons],
            "calibration": {**asdict(self.calibration), "interval": list(self.calibration.interval)},
        }


def compare(
    champion_probabilities: ArrayLike,
    challenger_probabilities: ArrayLike,
    labels: Labels,
    groups: Sequence[Any] | None = None,
    *,
    rng: np.random.Generator,
    weights: ArrayLike | None = None,
    resamples: int = RESAMPLES,
) -> Comparison:
    """Compare two sets of probabilities (n, 3) over the same rows; raises ValueError without rows.

    better: the interval of the macro-F1 difference lies above zero. worse: it lies below zero, or a loss of
    violations is proven at an equal number of flags. undecided: everything else, and also a better challenger
    whose calibration is proven worse, because the queue is ordered by confidence.
    """
    truth = label_positions(labels)
    if not len(truth):
        raise ValueError("a comparison needs labelled rows")
    champion, challenger = np.asarray(champion_probabilities), np.asarray(challenger_probabilities)
    counts = row_weights(weights, len(truth))
    found = gain(
        challenger.argmax(axis=1),
        champion.argmax(axis=1),
        truth,
        counts,
        groups,
        rng=rng,
        resamples=resamples,
    )
    low, high = found.interval
    violations = at_equal_flags(champion, challenger, truth, counts)
    errors = calibration_errors((champion, challenger), truth, counts, groups, rng=rng)
    calibration = _calibrations(*errors, len(truth) if groups is None else len(set(groups)))
    outcome = _outcome(low, high, violations)
    if outcome == "better" and calibration.is_proven_worse:
        outcome = "undecided"
    comparison = Comparison(
        outcome=outcome,
        difference=found.difference,
        interval=found.interval,
        smallest_difference=(high - low) / 2,
        violations=violations,
        calibration=calibration,
        reasons=(),
        n=len(truth),
    )
    return replace(comparison, reasons=tuple(_reasons(comparison)))


def _calibrations(
    errors: NDArray[np.float64],
    resampled: NDArray[np.float64],
    by_chance: NDArray[np.float64],
    groups: int,
) -> CalibrationErrors:
    excess = 2 * float(by_chance[1] - by_chance[0])
    low, high = np.nanpercentile(resampled[1] - resampled[0], INTERVAL) - excess
    return CalibrationErrors(float(errors[0]), float(errors[1]), (float(low), float(high)), groups)


def _outcome(low: float, high: float, violations: AtEqualFlags) -> Outcome:
    if high < 0 or violations.is_proven_loss:
        return "worse"
    return "better" if low > 0 else "undecided"


def _reasons(result: Comparison) -> list[Message]:
    low, high = (100 * bound for bound in result.interval)
    change = 100 * result.difference
    reasons = [
        Message(
            "macro-F1 changes by {change} points (95% interval {low} to {high})",
            change=f"{change:+.1f}",
            low=f"{low:+.1f}",
            high=f"{high:+.1f}",
        )
    ]
    violations = result.violations.proven
    if result.violations.is_proven_loss:
        reasons.append(
            Message(
                "of {n} violations it misses {lost} that the champion finds, and finds {gained} that the "
                "champion misses, if both flag {flags} of the test posts (p = {p})",
                n=violations.n,
                flags=violations.flags,
                lost=violations.lost,
                gained=violations.gained,
                p=f"{violations.p_value:.3f}",
            )
        )
    elif violations.n == 0:
        reasons.append(Message("no violations among the test rows: nothing is known about them"))
    calibration = result.calibration
    if calibration.is_proven_worse:
        reasons.append(
            Message(
                "its confidences are further from the truth: calibration error {own}, the champion's {other}",
                own=f"{calibration.challenger:.3f}",
                other=f"{calibration.champion:.3f}",
            )
        )
    if result.outcome == "undecided" and result.interval[0] <= 0:
        reasons.extend(_reasons_to_wait(result))
    return reasons


def _reasons_to_wait(result: Comparison) -> list[Message]:
    smallest = 100 * result.smallest_difference
    if smallest == 0:
        return [Message("both are right and wrong about the same test rows")]
    reasons = [
        Message(
            "{n} test rows cannot show a difference below {smallest} points",
            n=result.n,
            smallest=f"{smallest:.1f}",
        )
    ]
    if needed := _rows_to_settle(result):
        reasons.append(
            Message("about {needed} test rows would settle a difference of this size", needed=f"{needed:,}")
        )
    return reasons


def _rows_to_settle(result: Comparison) -> int | None:
    """Interval width falls with the square root of the rows. None if the difference is almost zero."""
    if abs(result.difference) < 0.001 or abs(result.difference) > result.smallest_difference:
        return None
    needed = result.n * (result.smallest_difference / abs(result.difference)) ** 2
    return int(np.ceil(needed / 100) * 100)
