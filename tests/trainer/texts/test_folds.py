from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.trainer.toy import toy_examples
from trainer.errors import TrainerError
from trainer.labels import LABELS
from trainer.texts.folds import draw_folds

POSTS = toy_examples(90, 0)


@given(
    st.lists(st.tuples(st.sampled_from(LABELS), st.integers(0, 30)), min_size=60, max_size=120),
    st.integers(2, 4),
    st.integers(0, 2**40),
)
def test_folds_hold_back_every_row_once_and_its_near_copies_with_it(drawn, count, seed):
    rows = [
        replace(POSTS[0], label=label, group=f"{label[0] if number < 25 else ''}{number}")
        for label, number in drawn
    ]
    try:
        folds = draw_folds(rows, count, seed)
    except TrainerError:
        assume(False)
    assert sorted(np.concatenate(folds)) == list(range(len(rows)))
    groups = [{rows[row].group for row in held} for held in folds]
    assert sum(map(len, groups)) == len(set().union(*groups))
    for held in folds:
        left = {row.label for at, row in enumerate(rows) if at not in set(held)}
        assert left == {row.label for row in rows}


def test_labels_are_spread_over_the_folds():
    for held in draw_folds(POSTS, 3, seed=0):
        assert [sum(POSTS[row].label == label for row in held) for label in LABELS] == [10, 10, 10]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (POSTS[:59], "59 training rows are too few to fold, 60 are needed"),
        ([*toy_examples(80, 0, LABELS[:2]), *POSTS[2:8:3]], "too few different rows labelled violation"),
        ([*POSTS, *(replace(row, group="copies") for row in POSTS if row.label == "normal")], None),
        ([replace(row, group=row.label) for row in POSTS], "too few different rows labelled normal"),
    ],
    ids=["few rows", "a rare label", "many near-copies", "nothing but near-copies"],
)
def test_rows_that_cannot_be_folded_are_refused_with_the_reason(rows, reason):
    if reason is None:
        assert len(draw_folds(rows, 3, seed=0)) == 3
        return
    with pytest.raises(TrainerError, match=reason):
        draw_folds(rows, 3, seed=0)
