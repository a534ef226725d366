"""Out-of-fold predictions of the training rows: each row is scored by a model trained without it.

They replace predictions on training rows, which are overconfident, in calibration with few validation rows and in the
search for doubtful labels.
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
    """Logits (n, 3) of the training rows, in LABELS order.

    The validation rows select the epoch of each fold. Each fold has a checkpoint in the folder `checkpoints`, which the
    caller deletes; a resumed call only repeats the scoring of finished folds. Raises TrainerError.
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
