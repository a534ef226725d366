"""Old labels are kept or changed one by one or together, and each step can be withdrawn."""

import pytest
from sqlalchemy import select

from db.tables import Annotation, AuditEntry
from tests.conftest import Clock
from tests.workbench.making import add_decision, add_label, posts_of, ready_queue
from tests.workbench.review.ruled import draft
from workbench.accounts import Account
from workbench.errors import InputError, LabellingError
from workbench.labelling import answers
from workbench.project import Project
from workbench.review import bulk_labels, old_labels, resolutions, rulings
from workbench.review.old_labels import OldLabel


@pytest.fixture
def old(project: Project, lead: Account, ann: Account) -> list[int]:
    """Five posts that Ann labelled before a ruling on them, newest first."""
    ready_queue(project, lead)
    case, *posts = posts_of(project, "pool")[:6]
    for post in posts:
        add_label(project, ann, post, "normal")
    add_label(project, ann, case, "suspicious", is_flagged=True)
    rulings.settle(project, lead, draft(case, words="", examples=frozenset(posts)))
    return posts[::-1]


def listed(project: Project, lead: Account) -> dict[int, OldLabel]:
    return {one.post_id: one for one in old_labels.old_labels(project, lead)}


def settle(project: Project, lead: Account, post: int, label: str) -> None:
    one = listed(project, lead)[post]
    old_labels.settle(project, lead, post, label, ruling_id=one.ruling_id, instead_of=one.decision_id)


def decision(project: Project, post: int) -> tuple[str | None, str] | None:
    with project.database.read() as session:
        standing = resolutions.decision_on(session, post)
        return None if standing is None else (standing.label, standing.occasion)


def test_a_label_is_kept_or_changed_and_comes_back_with_undo(
    project: Project, lead: Account, old: list[int]
) -> None:
    assert list(listed(project, lead)) == old
    for post, label in zip(old, ("normal", "violation"), strict=False):
        settle(project, lead, post, label)
    assert list(listed(project, lead)) == old[2:]
    assert [decision(project, post) for post in old[:2]] == [("normal", "ruling"), ("violation", "ruling")]
    (ruling,) = rulings.listed_rulings(project, lead)
    assert (ruling.decided, ruling.kept, ruling.left) == (2, 1, 3)  # with the case
    assert [resolutions.undo(project, lead, "ruling") for _ in range(2)] == old[1::-1]
    assert list(listed(project, lead)) == old
    with pytest.raises(LabellingError, match="nothing to undo"):
        resolutions.undo(project, lead, "ruling")


def test_undo_gives_back_the_decision_that_was_replaced(
    project: Project, lead: Account, old: list[int], clock: Clock
) -> None:
    add_decision(project, lead, old[0], "suspicious")
    with project.database.write() as session:
        bulk = bulk_labels.give_label(session, project, lead, [old[1]], "suspicious")[0]
    clock.move(minutes=1)
    for post in old[:2]:
        settle(project, lead, post, "violation")
    assert list(listed(project, lead)) == old[2:]
    for _ in range(2):
        resolutions.undo(project, lead, "ruling")
    assert [listed(project, lead)[post].labels for post in old[:2]] == [["suspicious"]] * 2
    with pytest.raises(LabellingError, match="nothing to undo"):
        resolutions.undo(project, lead, "ruling")
    assert bulk_labels.take_back(project, lead, bulk) == 1
    assert listed(project, lead)[old[1]].labels == ["normal"]


def test_a_decision_made_since_the_ruling_is_not_questioned(
    project: Project, lead: Account, old: list[int], clock: Clock
) -> None:
    clock.move(minutes=1)
    resolutions.resolve(project, lead, old[0], "suspicious")
    assert list(listed(project, lead)) == old[1:]


def test_a_decision_made_meanwhile_is_not_replaced_unseen(
    project: Project, lead: Account, old: list[int]
) -> None:
    seen = listed(project, lead)[old[0]]
    add_decision(project, lead, old[0], "suspicious")
    with pytest.raises(LabellingError, match="decided meanwhile"):
        old_labels.settle(project, lead, old[0], "violation", ruling_id=seen.ruling_id)
    assert decision(project, old[0]) == ("suspicious", "review")


def test_an_annotator_who_changes_the_answer_settles_it(
    project: Project, lead: Account, ann: Account, old: list[int]
) -> None:
    with project.database.read() as session:
        answer = session.scalars(select(Annotation.id).where(Annotation.post_id == old[0])).one()
    answers.change(project, ann, answer, "violation")
    assert list(listed(project, lead)) == old[1:]


@pytest.mark.parametrize(("keeps", "label"), [(True, "normal"), (False, "violation")])
def test_many_are_settled_in_one_step_and_taken_back_in_one(
    project: Project, lead: Account, old: list[int], keeps: bool, label: str
) -> None:
    (number,) = {one.ruling_id for one in listed(project, lead).values()}
    assert old_labels.settle_many(project, lead, number, old[:3], keeps=keeps) == 3
    assert list(listed(project, lead)) == old[3:]
    assert {decision(project, post) for post in old[:3]} == {(label, "bulk")}
    (bulk,) = bulk_labels.newest(project, lead)
    assert (bulk.label, bulk.posts) == (label, 3)
    with project.database.read() as session:
        assert session.get_one(AuditEntry, bulk.id).detail == {"posts": 3, "ruling": number}
    bulk_labels.take_back(project, lead, bulk.id)
    assert list(listed(project, lead)) == old


def test_many_leave_out_what_needs_a_look_of_its_own(
    project: Project, lead: Account, ann: Account, ben: Account, old: list[int]
) -> None:
    add_decision(project, lead, old[0], "suspicious")
    add_label(project, ben, old[1], "suspicious", slot=1)
    add_label(project, ben, old[2], "normal", slot=1, is_flagged=True)
    (number,) = {one.ruling_id for one in listed(project, lead).values()}
    assert [listed(project, lead)[post].may_be_many for post in old] == [False, False, False, True, True]
    assert old_labels.settle_many(project, lead, number, old, keeps=False) == 2
    assert list(listed(project, lead)) == old[:3]
    assert listed(project, lead)[old[1]].labels == ["normal", "suspicious"]
    with pytest.raises(InputError, match="None of these posts"):
        old_labels.settle_many(project, lead, number, old, keeps=True)


def test_a_post_comes_back_once_under_the_newest_ruling(
    project: Project, lead: Account, old: list[int]
) -> None:
    case = posts_of(project, "pool")[6]
    second = rulings.settle(
        project, lead, draft(case, "suspicious", title="jokes", words="", examples=frozenset(old[:2]))
    )
    assert [(one.ruling_id == second, one.ruled) for one in listed(project, lead).values()] == [
        (True, "suspicious"),
        (True, "suspicious"),
        *[(False, "violation")] * 3,
    ]
    settle(project, lead, old[0], "suspicious")
    assert old[0] not in listed(project, lead)


def test_no_more_than_a_thousand_at_once(project: Project, lead: Account, old: list[int]) -> None:
    with pytest.raises(InputError, match="At most 1000"):
        old_labels.settle_many(project, lead, 1, range(1_001), keeps=True)
