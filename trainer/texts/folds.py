"""Folds of training rows that keep a post and its near-copies together."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from trainer.errors import TrainerError
from trainer.labels import Label
from trainer.texts.dataset import Example

FEWEST_ROWS = 60
"""With fewer rows a fold's model would learn too little to represent the model of all rows."""

Folds = Sequence[NDArray[np.int64]]
"""The positions that each fold holds back; every row is held back once."""


def draw_folds(train: Sequence[Example], count: int, seed: int) -> Folds:
    """Stratified folds by group, so that no row is judged by a model that saw its near-copy.

    Raises TrainerError, with the reason, if a fold would lack a label that the whole set has.
    """
    if len(train) < FEWEST_ROWS:
        raise TrainerError(
            "{rows} training rows are too few to fold, {fewest} are needed",
            rows=len(train),
            fewest=FEWEST_ROWS,
        )
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for example in train:
        groups[example.label].add(example.group)
    for label in sorted(groups, key=lambda name: Label(name).position):
        if len(groups[label]) < count:
            raise TrainerError(
                "too few different rows labelled {label} for {count} folds", label=label, count=count
            )
    labels = [example.label for example in train]
    draw = StratifiedGroupKFold(count, shuffle=True, random_state=fold_seed(seed, 0))
    folds = [held for _, held in draw.split(labels, labels, [example.group for example in train])]
    if any(set(labels) != {labels[row] for row in others(len(train), held)} for held in folds):
        raise TrainerError(
            "the near-copies of a label stay together, so {count} folds cannot share it", count=count
        )
    return folds


def others(rows: int, held: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.setdiff1d(np.arange(rows), held)


def fold_seed(seed: int, fold: int) -> int:
    return int(np.random.SeedSequence((seed, fold)).generate_state(1)[0])
