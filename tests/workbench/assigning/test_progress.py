"""Progress by person and by board, as leads see it."""

from datetime import timedelta

import pytest

from db.queries.assigning.progress import people_at_work
from tests.conftest import Clock
from tests.workbench.assigning.making import board_of, queue_of_boards
from tests.workbench.plans import plans_of
from workbench.accounts import Account
from workbench.assigning.assignments import assign_board
from workbench.assigning.goals import set_goal
from workbench.assigning.groups import make_group, set_members
from workbench.assigning.progress import BoardCounts, Team, count_by_board, read_team
from workbench.errors import NotAllowedError
from workbench.labelling import answers
from workbench.people import members
from workbench.project import Project


@pytest.fixture
def boards(project: Project, lead: Account) -> dict[str, int]:
    return queue_of_boards(project, lead)


def team_of(project: Project, lead: Account) -> Team:
    midnight = project.now().replace(hour=0)
    return read_team(project, lead, midnight, midnight - timedelta(days=midnight.weekday()))


def test_people_are_listed_by_name_with_their_labels_and_open_posts(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int], clock: Clock
) -> None:
    clock.move(days=1)
    for label in ("normal", "violation"):
        answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, label)
    clock.move(days=1)
    answers.skip(project, ann, answers.hold_posts(project, ann)[0].post_id)
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    answers.hold_posts(project, ann)
    set_goal(project, lead, ben.id, goal=50, second_opinions=30)
    people = team_of(project, lead).people
    assert [(one.name, one.today, one.week, one.open_posts) for one in people] == [
        ("Ann", 1, 3, 2),
        ("Ben", 0, 0, 0),
        ("林", 0, 0, 0),
    ]
    assert [(one.goal, one.second_opinions) for one in people] == [(0, None), (50, 30), (0, None)]
    members.disable(project, lead, ben.id)
    assert [one.name for one in team_of(project, lead).people] == ["Ann", "林"]


def test_boards_are_listed_with_their_posts_and_whom_they_are_served_to(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int]
) -> None:
    group = make_group(project, lead, "夜班")
    set_members(project, lead, group, [ben.id])
    assign_board(project, lead, boards["Tech"], people=[ann.id], groups=[group])
    post = answers.hold_posts(project, ann)[0].post_id
    assert board_of(project, post) == boards["Tech"]
    answers.submit(project, ann, post, "normal")
    seen = {board.name: board for board in team_of(project, lead).boards}
    assert list(seen) == ["Tech", "交易", "水库"]
    assert (seen["Tech"].waiting, seen["交易"].waiting) == (14, 15)
    assert (seen["Tech"].people, seen["Tech"].groups) == ([ann.id], [group])
    assert (seen["Tech"].served_to, seen["交易"].served_to) == ([ann.id, ben.id], [])
    assert [board.is_assigned for board in seen.values()] == [True, False, False]
    assert not seen["Tech"].is_unattended
    assert count_by_board(project, lead) == {
        boards["Tech"]: BoardCounts(15, 1),
        boards["交易"]: BoardCounts(15),
        boards["水库"]: BoardCounts(15),
    }


def test_held_out_posts_that_others_have_passed_over_are_counted(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int]
) -> None:
    for board in boards.values():
        assign_board(project, lead, board, people=[ann.id])
    while held := answers.hold_posts(project, ben):
        answers.submit(project, ben, held[0].post_id, "normal")
    before = sum(board.passed_over for board in team_of(project, lead).boards)
    while held := answers.hold_posts(project, ann):
        answers.submit(project, ann, held[0].post_id, "normal")
    assert before > 0 == sum(board.passed_over for board in team_of(project, lead).boards)


def test_an_annotator_does_not_see_how_far_others_are(
    project: Project, ann: Account, boards: dict[str, int]
) -> None:
    with pytest.raises(NotAllowedError):
        team_of(project, ann)
    with pytest.raises(NotAllowedError):
        count_by_board(project, ann)


def test_labels_are_counted_in_the_index_of_each_person(project: Project, lead: Account) -> None:
    now = project.now()
    (plan,) = plans_of(project, lambda session: session.execute(people_at_work(now, now, now)).all())
    assert (
        sum(
            "annotation USING INDEX ix_annotation_saved_at (person_id=? AND saved_at>?)" in step
            for step in plan
        )
        == 2
    )
    assert not any("SCAN annotation" in step or "SCAN claim" in step for step in plan), plan
