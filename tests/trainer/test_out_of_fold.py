from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.trainer.toy import toy_examples
from trainer.config import LABELS
from trainer.errors import TrainerError
from trainer.fit import fit
from trainer.out_of_fold import draw_folds, fold_steps, out_of_fold
from trainer.progress import Silent

POSTS = toy_examples(90, 0)


class Recorder(Silent):
    def __init__(self):
        self.steps, self.resumed = [], []

    def resume(self, done, total):
        self.resumed.append((done, total))

    def step(self, done, total, **facts):
        self.steps.append((done, total, facts))


class Killer(Silent):
    """Dies at a step of the whole, like a killed process."""

    def __init__(self, step):
        self.at = step

    def step(self, done, total, **facts):
        if done >= self.at:
            raise KeyboardInterrupt


@pytest.fixture
def short(toy_config):
    return replace(toy_config, max_epochs=2, dropout=0.1)


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


def test_each_fold_learns_all_rows_but_its_own_with_a_seed_of_its_own(short, monkeypatch):
    learned, folds = [], draw_folds(POSTS, 3, 0)

    def watched(train, validation, config, **rest):
        learned.append(([row.id for row in train], config.seed))
        return fit(train, validation, config, **rest)

    monkeypatch.setattr("trainer.out_of_fold.fit", watched)
    out_of_fold(POSTS, [], short, folds, progress=Silent())
    for (names, _), held in zip(learned, folds, strict=True):
        assert names == [row.id for at, row in enumerate(POSTS) if at not in set(held)]
    assert len({seed for _, seed in learned} | {short.seed}) == 4


def test_what_can_be_learned_is_known_of_rows_never_seen(toy_config):
    rows = toy_examples(150, 0)
    scores = out_of_fold(rows, [], toy_config, draw_folds(rows, 3, 0), progress=Silent())
    assert (scores.argmax(axis=1) == [LABELS.index(row.label) for row in rows]).mean() > 0.6


def test_killed_it_goes_on_without_repeating_finished_folds(short, tmp_path):
    folds = draw_folds(POSTS, 3, short.seed)
    whole = out_of_fold(POSTS, [], short, folds, progress=Silent())
    with pytest.raises(KeyboardInterrupt):
        out_of_fold(POSTS, [], short, folds, progress=Killer(9), checkpoints=tmp_path)
    progress = Recorder()
    resumed = out_of_fold(POSTS, [], short, folds, progress=progress, checkpoints=tmp_path)
    np.testing.assert_array_equal(whole, resumed)
    assert progress.resumed == [(8, 24)]
    assert min(done for done, _, _ in progress.steps) > 8


def test_the_folds_are_one_work_of_so_many_steps_and_tell_no_losses(short):
    progress, folds = Recorder(), draw_folds(POSTS, 3, short.seed)
    out_of_fold(POSTS, toy_examples(30, 1), short, folds, progress=progress)
    assert progress.steps[-1] == (24, 24, {})
    assert {total for _, total, _ in progress.steps} == {fold_steps(len(POSTS), folds, short)} == {24}
