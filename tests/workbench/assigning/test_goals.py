"""A person's own goal and share of second opinions stand in place of the project's."""

from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import select

from db.tables import AuditEntry, Claim, Person
from tests.workbench.making import add_label, posts_of, ready_queue
from workbench.accounts import Account, command_line
from workbench.assigning.goals import set_goal
from workbench.errors import InputError, NotAllowedError
from workbench.labelling import answers, pace
from workbench.project import Project


def goal_of(project: Project, person: Account) -> int:
    with project.database.read() as session:
        return pace.daily_goal(session, project, person.id)


def test_the_projects_goal_counts_until_a_person_has_one(
    project: Project, lead: Account, ann: Account
) -> None:
    assert goal_of(project, ann) == 0
    with_goal = replace(project, settings=project.settings.model_copy(update={"daily_goal": 200}))
    assert goal_of(with_goal, ann) == 200
    for own, goal in ((80, 80), (0, 0), (None, 200)):
        set_goal(with_goal, lead, ann.id, goal=own, second_opinions=None)
        assert goal_of(with_goal, ann) == goal


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (25, 10), (100, 20)])
def test_the_share_of_second_opinions_is_the_persons(
    project: Project, lead: Account, ann: Account, ben: Account, percent: int, expected: int
) -> None:
    ready_queue(project, lead, 120)
    for post in posts_of(project, "pool")[:40]:
        add_label(project, ben, post, "normal", lane="uncertain")
    set_goal(project, lead, ann.id, goal=None, second_opinions=percent)
    slots = Counter[int]()
    for _ in range(20 if percent == 100 else 40):
        post = answers.hold_posts(project, ann)[0].post_id
        with project.database.read() as session:
            slots[session.scalars(select(Claim.slot).where(Claim.post_id == post)).one()] += 1
        answers.submit(project, ann, post, "normal")
    assert slots[1] == expected


def test_numbers_out_of_range_and_strangers_are_refused(
    project: Project, lead: Account, ann: Account
) -> None:
    for person, goal, percent, reason in (
        (ann.id, -1, None, "daily goal"),
        (ann.id, 10_001, None, "daily goal"),
        (ann.id, None, 101, "share of second"),
        (99, 1, 1, "person is not"),
        (command_line(project).id, 1, 1, "person is not"),
    ):
        with pytest.raises(InputError, match=reason):
            set_goal(project, lead, person, goal=goal, second_opinions=percent)
    with pytest.raises(NotAllowedError):
        set_goal(project, ann, ann.id, goal=1, second_opinions=None)
    with project.database.read() as session:
        assert session.get_one(Person, ann.id).daily_goal is None


def test_a_change_is_recorded_once(project: Project, lead: Account, ann: Account) -> None:
    for _ in range(2):
        set_goal(project, lead, ann.id, goal=80, second_opinions=20)
    with project.database.read() as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.action == "set goal")).all()
    assert [(row.subject, row.detail) for row in rows] == [("Ann", {"goal": 80, "second_opinions": 20})]
