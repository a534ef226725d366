"""The team's agreement: only blind votes count, and every figure equals a count by hand."""

from datetime import timedelta

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from sqlalchemy import select

from db.tables import Annotation
from tests.conftest import Clock
from tests.workbench.making import add_decision, add_label, make_champion, ready_queue
from tests.workbench.plans import plans_of
from workbench.accounts import Account
from workbench.errors import NotAllowedError
from workbench.labelling import answers
from workbench.labelling.pace import monday_of
from workbench.project import Project
from workbench.review.agreement import FEWEST_POSTS, read_agreement, votes_by_post

LABELS = ["normal", "suspicious", "violation"]


def both(project: Project, ann: Account, ben: Account, post: int, one: str, other: str) -> None:
    add_label(project, ann, post, one)
    add_label(project, ben, post, other, slot=1)


def counted(project: Project) -> dict[int, list[tuple[int, str]]]:
    with project.database.read() as session:
        return {
            post: [(vote.person_id, vote.label) for vote in votes]
            for post, votes in votes_by_post(session).items()
        }


def test_a_vote_is_the_last_one_before_the_models_view(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    make_champion(project, lead, np.tile([0.1, 0.1, 0.8], (40, 1)))
    saved = answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    assert saved.suggestion is not None
    answers.change(project, ann, saved.annotation_id, "violation")
    add_label(project, ben, saved.post_id, "suspicious", slot=1)
    assert counted(project) == {saved.post_id: [(ann.id, "normal"), (ben.id, "suspicious")]}


def test_a_slip_that_is_corrected_without_a_suggestion_is_no_disagreement(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead)
    saved = answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    answers.change(project, ann, saved.annotation_id, "violation")
    add_label(project, ben, saved.post_id, "violation", slot=1)
    assert counted(project) == {saved.post_id: [(ann.id, "violation"), (ben.id, "violation")]}


def test_a_vote_that_was_withdrawn_does_not_count(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead)
    saved = answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    add_label(project, ben, saved.post_id, "violation", slot=1)
    assert len(counted(project)) == 1
    answers.undo(project, ann)
    assert counted(project) == {}


def test_copied_imported_and_aided_labels_are_no_votes(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead)
    for columns in ({"origin": "import"}, {"origin": "propagated"}, {"was_suggestion_visible": True}):
        post = 1 + len(columns)
        add_label(project, ann, post, "normal")
        add_label(project, ben, post, "normal", slot=1, **columns)
    assert counted(project) == {}


def test_each_figure_is_what_counting_says(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 80)
    rng = np.random.default_rng(5)
    pairs = [tuple(map(str, rng.choice(LABELS, 2, p=[0.5, 0.3, 0.2]))) for _ in range(60)]
    for post, (one, other) in enumerate(pairs, start=1):
        both(project, ann, ben, post, one, other)
        if post == FEWEST_POSTS * 2:
            clock.move(days=7)
    team = read_agreement(project, lead)
    assert team.whole is not None
    assert (team.whole.posts, team.whole.share) == (60, pytest.approx(np.mean([a == b for a, b in pairs])))
    assert team.has_enough
    assert team.is_low
    assert team.interval is not None
    assert team.whole.ordinal is not None
    assert team.interval[0] < team.whole.ordinal < team.interval[1]
    (people,) = team.people
    assert people.names == ("Ann", "Ben")
    assert people.same.rows == 60
    assert people.kappa == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
    by_hand = {
        (low, high): sum({one, other} == {low, high} for one, other in pairs)
        for low, high in (("normal", "suspicious"), ("normal", "violation"), ("suspicious", "violation"))
    }
    assert {pair.labels: pair.posts for pair in team.apart} == by_hand
    assert [pair.posts for pair in team.apart] == sorted(by_hand.values(), reverse=True)
    assert all(pair.open_cases == pair.posts for pair in team.apart)
    first, second = team.weeks
    assert (first.same.rows, second.same.rows) == (FEWEST_POSTS * 2, 60 - FEWEST_POSTS * 2)
    assert second.monday == first.monday + timedelta(days=7) == monday_of(clock.moment)


def test_a_settled_case_is_not_open_any_more(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead)
    for post in (1, 2, 3):
        both(project, ann, ben, post, "normal", "violation")
    add_decision(project, lead, 2, "violation")
    (pair,) = read_agreement(project, lead).apart
    assert (pair.labels, pair.posts, pair.open_cases) == (("normal", "violation"), 3, 2)


def test_a_few_posts_condemn_nobody(project: Project, lead: Account, ann: Account, ben: Account) -> None:
    ready_queue(project, lead)
    for post in range(1, FEWEST_POSTS):
        both(project, ann, ben, post, "normal", "violation")
    team = read_agreement(project, lead)
    assert team.whole is not None
    assert team.whole.ordinal is not None
    assert team.whole.ordinal < 0
    assert (team.is_low, team.people[0].kappa, team.weeks[0].ordinal) == (False, None, None)


def test_two_who_always_say_the_same_one_label_have_no_kappa(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead)
    for post in range(1, FEWEST_POSTS + 1):
        both(project, ann, ben, post, "normal", "normal")
    team = read_agreement(project, lead)
    assert team.whole is not None
    assert (team.whole.share, team.whole.ordinal, team.interval, team.is_low) == (1.0, None, None, False)
    assert team.people[0].kappa is None


def test_without_a_second_answer_there_is_nothing(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    add_label(project, ann, 1, "normal")
    team = read_agreement(project, lead)
    assert (team.whole, team.interval, [*team.labels], team.apart) == (None, None, [], [])
    assert (team.people, team.weeks, team.is_low) == ([], [], False)


def test_it_is_for_leads(project: Project, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        read_agreement(project, ann)


def test_its_time_does_not_grow_with_posts_or_answers(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead)
    both(project, ann, ben, 1, "normal", "violation")
    steps = [step for plan in plans_of(project, votes_by_post) for step in plan]
    assert steps
    assert [step for step in steps if step.startswith("SCAN ") and "CONSTANT" not in step] == [
        "SCAN annotation USING COVERING INDEX ix_annotation_slot"
    ]
    with project.database.read() as session:
        assert len(session.scalars(select(Annotation.id)).all()) == 2
