"""Out-of-fold predictions of an adapter beside those of the linear baseline in the same folds, kept as evidence.

They replace test rows while these are few. The file lies beside the adapter, not in its card: an adapter from another
machine comes without it, since only its own figures would speak for it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.files import write_json
from trainer.labels import LABELS
from trainer.linear.baseline import linear_baseline
from trainer.statistics.evidence import Evidence, evidence
from trainer.texts.dataset import Example, group_weights
from trainer.texts.folds import Folds, others

FILE = "out_of_fold.json"


def judge_folds(
    rows: Sequence[Example], logits: NDArray[np.floating], folds: Folds, *, rng: np.random.Generator
) -> Evidence:
    """`logits` (n, 3) of the rows, each by a model that was trained without it."""
    return evidence(
        logits.argmax(axis=1),
        _linear(rows, folds).argmax(axis=1),
        [row.label for row in rows],
        group_weights(rows),
        [row.group for row in rows],
        rng=rng,
    )


def save_judged(folder: Path, judged: Evidence) -> None:
    write_json(folder / FILE, judged.to_dict())


def read_judged(folder: Path) -> dict[str, Any] | None:
    """As stored; None if the adapter was trained without folds."""
    file = folder / FILE
    if not file.exists():
        return None
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return values


def _linear(rows: Sequence[Example], folds: Folds) -> NDArray[np.float64]:
    scores = np.zeros((len(rows), len(LABELS)))
    for held in folds:
        learned = [rows[at] for at in others(len(rows), held)]
        texts, labels = [row.text for row in learned], [row.label for row in learned]
        scores[held] = linear_baseline(texts, labels, [rows[at].text for at in held])
    return scores
