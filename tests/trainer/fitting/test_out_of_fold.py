from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.toy import toy_examples
from trainer.fitting.out_of_fold import fold_steps, out_of_fold
from trainer.fitting.training import fit
from trainer.labels import Label
from trainer.running.progress import Silent
from trainer.texts.folds import draw_folds

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


@pytest.fixture(scope="module")
def short(toy_config):
    return replace(toy_config, max_epochs=2, dropout=0.1)


@pytest.fixture(scope="module")
def folds(short):
    return draw_folds(POSTS, 3, short.seed)


@pytest.fixture(scope="module")
def uninterrupted(short, folds):
    """The scores, and what each fold learned with which seed."""
    learned = []

    def watched(train, validation, config, **rest):
        learned.append(([row.id for row in train], config.seed))
        return fit(train, validation, config, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.fitting.out_of_fold.fit", watched)
        return out_of_fold(POSTS, [], short, folds, progress=Silent()), learned


def test_each_fold_learns_all_rows_but_its_own_with_a_seed_of_its_own(short, folds, uninterrupted):
    _, learned = uninterrupted
    for (names, _), held in zip(learned, folds, strict=True):
        assert names == [row.id for at, row in enumerate(POSTS) if at not in set(held)]
    assert len({seed for _, seed in learned} | {short.seed}) == 4


def test_what_can_be_learned_is_known_of_rows_never_seen(toy_config):
    rows = toy_examples(150, 0)
    scores = out_of_fold(rows, [], toy_config, draw_folds(rows, 3, 0), progress=Silent())
    assert (scores.argmax(axis=1) == [Label(row.label).position for row in rows]).mean() > 0.6


def test_killed_it_goes_on_without_repeating_finished_folds(short, folds, uninterrupted, tmp_path):
    whole, _ = uninterrupted
    with pytest.raises(KeyboardInterrupt):
        out_of_fold(POSTS, [], short, folds, progress=Killer(9), checkpoints=tmp_path)
    progress = Recorder()
    resumed = out_of_fold(POSTS, [], short, folds, progress=progress, checkpoints=tmp_path)
    np.testing.assert_array_equal(whole, resumed)
    assert progress.resumed == [(8, 24)]
    assert min(done for done, _, _ in progress.steps) > 8


def test_the_folds_are_one_work_of_so_many_steps_and_tell_no_losses(short, folds):
    progress = Recorder()
    out_of_fold(POSTS, toy_examples(30, 1), short, folds, progress=progress)
    assert progress.steps[-1] == (24, 24, {})
    assert {total for _, total, _ in progress.steps} == {fold_steps(len(POSTS), folds, short)} == {24}
