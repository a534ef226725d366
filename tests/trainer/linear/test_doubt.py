"""Each row is judged by a model that has not seen it; wrong labels rank first."""

from dataclasses import replace

import numpy as np
import pytest

from tests.trainer.toy import toy_examples
from trainer.errors import TrainerError
from trainer.labels import LABELS, Label
from trainer.linear.doubt import out_of_fold_probabilities

POSTS = toy_examples(300, 0)


def test_flipped_labels_are_doubted_most():
    rng = np.random.default_rng(1)
    flipped = set(rng.choice(len(POSTS), 30, replace=False).tolist())
    rows = [
        replace(post, label=LABELS[(Label(post.label).position + 1) % 3]) if at in flipped else post
        for at, post in enumerate(POSTS)
    ]
    found = out_of_fold_probabilities(rows)
    own = found[np.arange(len(rows)), [Label(row.label).position for row in rows]]
    assert len(flipped & set(np.argsort(own)[:30].tolist())) >= 24


def test_a_row_is_judged_without_itself_and_its_near_copies():
    """Wrongly labelled copies of one post cannot confirm each other."""
    rule = [post for post in POSTS if post.label == "violation"]
    copies = [replace(rule[0], id=f"c{number}", group="one", label="normal") for number in range(20)]
    rows = [post for post in POSTS if post is not rule[0]] + copies
    found = out_of_fold_probabilities(rows)[-20:]
    assert (found[:, Label.VIOLATION.position] > found[:, Label.NORMAL.position]).all()


def test_the_same_rows_give_the_same_figures_and_each_row_adds_up():
    found = out_of_fold_probabilities(POSTS)
    assert (found == out_of_fold_probabilities(POSTS)).all()
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_a_label_that_nobody_gave_has_no_chance():
    rows = [post for post in POSTS if post.label != "suspicious"]
    assert (out_of_fold_probabilities(rows)[:, Label.SUSPICIOUS.position] == 0).all()


def test_a_rare_label_makes_fewer_folds():
    rows = [post for post in POSTS if post.label == "normal"]
    rows += [post for post in POSTS if post.label == "violation"][:2]
    assert len(out_of_fold_probabilities(rows)) == 102
    with pytest.raises(TrainerError, match="too few"):
        out_of_fold_probabilities(rows[:-1])
    with pytest.raises(TrainerError, match="too few"):
        out_of_fold_probabilities(POSTS[:10])
