"""What a model says about training rows it has not seen: each row by a model trained without it.

Honest where predictions on learned rows flatter: for a calibration without enough other rows, and for finding
labels that everything else speaks against.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from trainer.config import LABELS, TrainConfig, planned_steps
from trainer.dataset import Example
from trainer.errors import TrainerError
from trainer.fit import fit
from trainer.processes import Processes
from trainer.progress import Part, Progress
from trainer.scorer import logits
from trainer.tokens import tokenise

FEWEST_ROWS = 60
"""Of fewer rows each fold would learn next to nothing, and say nothing about the model of all rows."""

Folds = Sequence[NDArray[np.int64]]
"""The positions of the rows that each fold holds back; every row is held back once."""


def draw_folds(train: Sequence[Example], count: int, seed: int) -> Folds:
    """Fold by group, so that no row is judged by a model that saw its near-copy; labels spread as groups allow.

    Raises TrainerError, with the reason, where a fold could not learn what the whole does.
    """
    if len(train) < FEWEST_ROWS:
        raise TrainerError(f"{len(train)} training rows are too few to fold, {FEWEST_ROWS} are needed")
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for example in train:
        groups[example.label].add(example.group)
    for label in sorted(groups, key=LABELS.index):
        if len(groups[label]) < count:
            raise TrainerError(f"too few different rows labelled {label} for {count} folds")
    labels = [example.label for example in train]
    draw = StratifiedGroupKFold(count, shuffle=True, random_state=_seed(seed, 0))
    folds = [held for _, held in draw.split(labels, labels, [example.group for example in train])]
    if any(set(labels) != {labels[row] for row in _others(len(train), held)} for held in folds):
        raise TrainerError(f"the near-copies of a label stay together, so {count} folds cannot share it")
    return folds


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
            [train[row] for row in _others(len(train), held)],
            validation,
            replace(config, seed=_seed(config.seed, number)),
            progress=Part(progress, done, fold_steps(len(train), folds[number:], config), is_quiet=True),
            processes=processes,
            checkpoint=checkpoints and checkpoints / f"fold-{number}",
        )
        done += fitted.steps
        encoder = fitted.encoder
        tokens = tokenise(encoder.tokenizer, [train[row].text for row in held], config.max_length)
        scores[held] = logits(encoder.model, encoder, tokens)
    return scores


def _others(rows: int, held: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.setdiff1d(np.arange(rows), held)


def _seed(seed: int, fold: int) -> int:
    return int(np.random.SeedSequence((seed, fold)).generate_state(1)[0])
