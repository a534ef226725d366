"""What a calibration is fitted on: the validation rows, and while those are few, the training rows as well.

Training rows are judged by models that have not seen them (`out_of_fold`). They are no sample of the forum: they were
chosen for being uncertain, or for a rare label. So a bias by label fitted on them would carry their shares of labels
to posts that have others; how far confidences overshoot, one temperature, is all that is taken from them.
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
"""Of fewer validation rows alone nothing is fitted."""

Judged = tuple[NDArray[np.float32], Sequence[Example]]
"""Logits (n, 3) of a model, and the rows, none of which trained it."""


def has_folds(validation_rows: int, config: TrainConfig) -> bool:
    """Whether a training with so many validation rows trains folds, its training rows allowing."""
    return config.calibration_folds > 0 and validation_rows < STEADY_VALIDATION_ROWS


def plan_folds(
    train: Sequence[Example], validation: Sequence[Example], config: TrainConfig
) -> tuple[Folds, tuple[str, ...]]:
    """The folds to train for the calibration, none where it needs or has none; and what should be said about it."""
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
    """Fit on the validation rows, or on these and the training rows where `folded` has them."""
    if folded is not None:
        return _fit([validation, folded], is_sample=False)
    if len(validation[1]) < FEWEST_ROWS:
        return Calibration.identity()
    return _fit([validation], is_sample=True)


def _fit(judged: Sequence[Judged], *, is_sample: bool) -> Calibration:
    scores = np.concatenate([found for found, _ in judged])
    targets = [example.target for _, rows in judged for example in rows]
    # Apart: validation rows stand for many posts, training rows for themselves, and both are to be heard.
    weights = np.concatenate([group_weights(rows) for _, rows in judged])
    found = fit_calibration(scores, targets, weights, has_bias=is_sample)
    return replace(found, fitted_on="validation" if is_sample else "out-of-fold", rows=len(targets))
