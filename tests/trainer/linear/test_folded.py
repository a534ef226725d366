"""Out-of-fold predictions are compared with a linear model of the same folds."""

import numpy as np
import pytest

from tests.trainer.toy import toy_examples
from trainer.labels import LABELS
from trainer.linear.folded import judge_folds, read_judged, save_judged
from trainer.texts.folds import draw_folds

ROWS = toy_examples(90, 3)
FOLDS = draw_folds(ROWS, 3, 0)


def logits(right):
    truth = np.array([LABELS.index(row.label) for row in ROWS])
    return np.eye(3)[np.where(np.arange(len(ROWS)) < right * len(ROWS), truth, 0)]


def test_the_linear_model_of_the_folds_learns_and_is_compared(rng):
    judged = judge_folds(ROWS, logits(1), FOLDS, rng=rng)
    assert (judged.posts, judged.violations) == (90, 30)
    assert judged.linear is not None
    assert judged.linear.own == judged.macro_f1 == 1
    assert judged.linear.other > 0.8
    assert judged.majority.is_proven


def test_an_adapter_that_says_one_label_beats_nothing(rng):
    judged = judge_folds(ROWS, logits(0), FOLDS, rng=rng)
    assert judged.linear is not None
    assert judged.linear.difference < 0
    assert judged.majority.difference == pytest.approx(0)


def test_it_is_kept_beside_the_adapter(rng, tmp_path):
    assert read_judged(tmp_path) is None
    judged = judge_folds(ROWS, logits(1), FOLDS, rng=rng)
    save_judged(tmp_path, judged)
    assert read_judged(tmp_path) == judged.to_dict()
