"""A hint to the lead that more labels hardly change the model.

The rule is small-text's `KappaAverage` with its default of 0.99 (Bloodgood and Vijay-Shanker 2009, "A method
for stopping active learning based on stabilizing predictions"), combined with a flat learning curve. Either
alone fires too early: on a model that has not learned yet, or on two lucky rounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from trainer.labels import LABELS

Reason = Literal["too few rounds", "still changing", "still gaining", "settled"]

ROUNDS = 3
"""Successive pairs of rounds that must agree."""
AGREEMENT = 0.99
LEAST_GAIN = 0.005
"""Gain of macro-F1 over these rounds below which the curve counts as flat."""


@dataclass(frozen=True)
class StoppingHint:
    """Whether labelling could stop, and the reason.

    `agreements` are Cohen's kappas of the last successive rounds, oldest first. `gained` is in macro-F1, None
    with too few rounds.
    """

    reason: Reason
    agreements: tuple[float, ...] = ()
    gained: float | None = None

    @property
    def is_reached(self) -> bool:
        return self.reason == "settled"


def stopping_hint(predicted: Sequence[NDArray[Any]], scores: Sequence[float]) -> StoppingHint:
    """`predicted` holds one (posts,) array of label positions per round, over the same posts, oldest first;
    `scores` macro-F1.

    Only the last four rounds count. Raises ValueError if the rounds differ in their posts or lack a score.
    """
    if len(predicted) != len(scores) or len({len(labels) for labels in predicted}) > 1:
        raise ValueError("every round needs a score and a label for the same posts")
    if len(scores) <= ROUNDS:
        return StoppingHint("too few rounds")
    last = predicted[-ROUNDS - 1 :]
    agreements = tuple(kappa(before, after) for before, after in pairwise(last))
    gained = scores[-1] - scores[-ROUNDS - 1]
    if min(agreements) < AGREEMENT:
        return StoppingHint("still changing", agreements, gained)
    return StoppingHint("settled" if gained < LEAST_GAIN else "still gaining", agreements, gained)


def kappa(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Cohen's kappa of two labellings (posts,) by position.

    0 where it is undefined: two rounds that give every post one label agree because they have learned
    nothing.
    """
    table = np.zeros((len(LABELS), len(LABELS)))
    np.add.at(table, (one, other), 1 / max(len(one), 1))
    chance = float(table.sum(axis=0) @ table.sum(axis=1))
    return (float(np.trace(table)) - chance) / (1 - chance) if 0 < chance < 1 - 1e-9 else 0.0
