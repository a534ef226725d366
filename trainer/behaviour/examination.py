"""The written cases scored by an adapter, and by the champion. Imports torch."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.behaviour.cases import read_cases, read_kinds
from trainer.behaviour.outcome import Outcome, outcome_of
from trainer.scoring.scorer import Scorer


def examine(model: Path, champion: Path | None = None) -> Outcome:
    return outcome_of(
        read_kinds(), read_cases(), _score(model), None if champion is None else _score(champion)
    )


def _score(model: Path) -> NDArray[np.float32]:
    return Scorer.load(model).probabilities([case.text for case in read_cases()])
