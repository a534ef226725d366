"""A round whose labels for all posts are far from those of randomly drawn posts is doubted, and no other."""

import numpy as np
import pytest

from tests.workbench.making import (
    COPIES,
    add_label,
    add_round,
    different_texts,
    import_texts,
    posts_of,
    ready_queue,
)
from trainer.messages import Message
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.project import Project
from workbench.rounds.shares import doubts_of_shares, predicted_shares
from workbench.scores.round_scores import RoundScores, Scores

COUNT = 600


@pytest.fixture
def quiet(project: Project, lead: Account) -> Project:
    """A forum of 600 posts, all of whose held-out posts people called normal."""
    ready_queue(project, lead, COUNT)
    for post in (*posts_of(project, "validation"), *posts_of(project, "test")):
        add_label(project, lead, post, "normal", lane="held_out")
    return project


def score(project: Project, labels: np.ndarray) -> None:
    """Round 1 gives the post of each number its label, a position."""
    ids = np.arange(1, len(labels) + 1, dtype=np.int64)
    RoundScores.of(project, 1).append(Scores(ids, np.eye(3, dtype=np.float32)[labels]))


def test_a_round_that_calls_almost_all_posts_violations_is_doubted(quiet: Project) -> None:
    score(quiet, np.where(np.arange(COUNT) < 0.94 * COUNT, 2, 0))
    doubts = doubts_of_shares(quiet, 1)
    assert [doubt.values["label"] for doubt in doubts] == ["normal", "violation"]
    assert str(doubts[1]).startswith("it calls 94.0% of all posts violation, but people so labelled 0.0% of ")


@pytest.mark.parametrize("violations", [0, 1, 6])
def test_a_quiet_forum_is_almost_all_normal_and_that_is_no_doubt(quiet: Project, violations: int) -> None:
    score(quiet, np.where(np.arange(COUNT) < violations, 2, 0))
    assert doubts_of_shares(quiet, 1) == ()


def test_shares_within_a_factor_of_two_are_no_doubt(quiet: Project, lead: Account) -> None:
    """Proven to differ, but by little: 60% normal instead of 100%."""
    score(quiet, np.where(np.arange(COUNT) < 0.4 * COUNT, 1, 0))
    assert [doubt.values["label"] for doubt in doubts_of_shares(quiet, 1)] == ["suspicious"]


def test_without_labels_of_drawn_posts_nothing_is_doubted(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    for post in posts_of(project, "pool")[:20]:
        add_label(project, lead, post, "normal", lane="uncertain")
    score(project, np.full(60, 2))
    assert doubts_of_shares(project, 1) == ()
    for post in posts_of(project, "pool")[20:40]:
        add_label(project, lead, post, "normal", lane="random")
    assert len(doubts_of_shares(project, 1)) == 2


def test_near_copies_count_once_on_both_sides(project: Project, lead: Account) -> None:
    import_texts(project, lead, [*COPIES, *different_texts(9)])
    prepare(project)
    score(project, np.array([2, 2, 2] + [0] * 9))
    assert predicted_shares(project, 1) == pytest.approx({"normal": 0.9, "suspicious": 0.0, "violation": 0.1})


def test_a_doubt_is_data(quiet: Project, lead: Account) -> None:
    score(quiet, np.full(COUNT, 2))
    add_round(quiet, lead)
    (*_, doubt) = doubts_of_shares(quiet, 1)
    assert Message.from_dict(doubt.to_dict()) == doubt
