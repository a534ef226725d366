"""What a model says about training rows it has not seen: each row by a model trained without it.

Honest where predictions on learned rows flatter: for a calibration without enough other rows, and for finding
labels that everything else speaks against.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.config import TrainConfig, planned_steps
from trainer.fitting.processes import Processes
from trainer.fitting.training import fit
from trainer.labels import LABELS
from trainer.running.progress import Part, Progress
from trainer.scoring.scorer import logits
from trainer.texts.dataset import Example
from trainer.texts.folds import Folds, fold_seed, others
from trainer.texts.tokens import tokenise


def fold_steps(rows: int, folds: Folds, config: TrainConfig) -> int:
    """Optimiser steps of all folds of so many rows, none of them stopped early."""
    return sum(planned_steps(rows - len(held), config) for held in folds)


def out_of_fold(
    train: Sequence[Example],
    validation: Sequence[Example],
    config: TrainConfig,
    folds: Folds,
    *,
    progress: Progress,
    processes: Processes | None = None,
    checkpoints: Path | None = None,
) -> NDArray[np.float32]:
    """Logits (n, 3) of the training rows, in LABELS order, of models trained without them.

    The validation rows choose each fold's epoch, as they choose that of the whole. Each fold has its own file in the
    folder `checkpoints`, the caller's to delete: of folds that are finished nothing but the scoring is done again.
    Raises TrainerError.
    """
    scores = np.empty((len(train), len(LABELS)), np.float32)
    done = 0
    for number, held in enumerate(folds, start=1):
        fitted = fit(
            [train[row] for row in others(len(train), held)],
            validation,
            replace(config, seed=fold_seed(config.seed, number)),
            progress=Part(progress, done, fold_steps(len(train), folds[number:], config), is_quiet=True),
            processes=processes,
            checkpoint=checkpoints and checkpoints / f"fold-{number}",
        )
        done += fitted.steps
        encoder = fitted.encoder
        tokens = tokenise(encoder.tokenizer, [train[row].text for row in held], config.max_length)
        scores[held] = logits(encoder.model, encoder, tokens)
    return scores
