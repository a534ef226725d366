"""The rows that calibration is fitted on: validation rows and, while these are few, training rows.

Training rows get out-of-fold predictions (`out_of_fold`). They are not a random sample of the forum but were chosen for
their uncertainty or a rare label, so a bias per label would transfer their label shares to posts with others. Only a
temperature is fitted on them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainer.config import STEADY_VALIDATION_ROWS, TrainConfig
from trainer.errors import TrainerError
from trainer.statistics.calibration import Calibration
from trainer.statistics.vector_scaling import fit_calibration
from trainer.texts.dataset import Example, group_weights
from trainer.texts.folds import Folds, draw_folds

FEWEST_ROWS = 30
"""Fewest validation rows to fit on without training rows."""

Judged = tuple[NDArray[np.float32], Sequence[Example]]
"""Logits (n, 3), and the rows, which were not in the training set of the model."""


def has_folds(validation_rows: int, config: TrainConfig) -> bool:
    return config.calibration_folds > 0 and validation_rows < STEADY_VALIDATION_ROWS


def plan_folds(
    train: Sequence[Example], validation: Sequence[Example], config: TrainConfig
) -> tuple[Folds, tuple[str, ...]]:
    """The folds to train for calibration, empty if none are needed or possible, and warnings."""
    few = f"only {len(validation)} validation rows" if validation else "no validation rows"
    if len(validation) >= STEADY_VALIDATION_ROWS:
        return (), ()
    reason = ""
    if has_folds(len(validation), config):
        try:
            folds = draw_folds(train, config.calibration_folds, config.seed)
        except TrainerError as error:
            reason = f" ({error})"
        else:
            return folds, (f"{few}: the calibration is rough, fitted on out-of-fold predictions",)
    if len(validation) < FEWEST_ROWS:
        return (), (f"{few}: the probabilities are not calibrated{reason}",)
    return (), (f"{few}: the calibration is rough{reason}",)


def calibrate(validation: Judged, folded: Judged | None) -> Calibration:
    """`folded` holds the training rows with out-of-fold logits, None without folds."""
    if folded is not None:
        return _fit([validation, folded], is_sample=False)
    if len(validation[1]) < FEWEST_ROWS:
        return Calibration.identity()
    return _fit([validation], is_sample=True)


def _fit(judged: Sequence[Judged], *, is_sample: bool) -> Calibration:
    scores = np.concatenate([part for part, _ in judged])
    targets = [example.target for _, rows in judged for example in rows]
    # Weighted apart: a validation row represents many posts and would outweigh the training rows.
    weights = np.concatenate([group_weights(rows) for _, rows in judged])
    calibration = fit_calibration(scores, targets, weights, has_bias=is_sample)
    return replace(calibration, fitted_on="validation" if is_sample else "out-of-fold", rows=len(targets))
