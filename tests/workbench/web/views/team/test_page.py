"""The Team page shows progress by name and by board, and changes who labels what."""

from html import unescape

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Board, BoardAssignment, GroupMember, Person, TeamGroup
from tests.workbench.assigning.making import queue_of_boards
from tests.workbench.team import member
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.assigning import progress
from workbench.assigning.assignments import assign_board
from workbench.assigning.goals import set_goal
from workbench.assigning.groups import make_group, set_members
from workbench.labelling import answers
from workbench.people import members
from workbench.project import Project
from workbench.queue import claims
from workbench.web.views.team import page as team_page

HOSTILE = "<img src=x>\u202e![x](http://evil.example/a.png)"


def screen() -> None:
    from workbench.web.views.team import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


def open_page() -> AppTest:
    app = AppTest.from_function(screen, default_timeout=10).run()
    assert not app.exception
    return app


def raw(app: AppTest) -> str:
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html"))


@pytest.fixture
def boards(project: Project, lead: Account, visit_as: VisitAs) -> dict[str, int]:
    visit_as(lead)
    return queue_of_boards(project, lead)


def click(app: AppTest, key: str) -> None:
    next(button for button in app.button if button.key == key).click().run()
    assert not app.exception


def test_people_stand_with_their_labels_goal_and_boards(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int]
) -> None:
    assign_board(project, lead, boards["Tech"], people=[ann.id])
    set_goal(project, lead, ann.id, goal=1_200, second_opinions=25)
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    page = raw(open_page())
    number = '<td class="number">{}</td>'.format
    ann_row = "".join(map(number, ("1", "1,200", "1", "1", "25%")))
    assert f"<td>Ann</td>{ann_row}<td>Tech</td>" in page
    assert f"<td>Ben</td>{''.join(map(number, ('0', '–', '0', '0', '–')))}<td>–</td>" in page
    assert page.index("<td>Ann</td>") < page.index("<td>Ben</td>") < page.index("<td>林</td>")


def test_boards_stand_with_their_posts_and_people(
    project: Project, lead: Account, ann: Account, boards: dict[str, int]
) -> None:
    group = make_group(project, lead, "夜班")
    assign_board(project, lead, boards["Tech"], people=[ann.id], groups=[group])
    page = raw(open_page())
    assert "夜班, Ann</td>" in page
    assert "everybody</td>" in page
    assert "wait: it is assigned" not in page


def test_a_board_that_nobody_is_served_is_told(
    project: Project, lead: Account, ann: Account, boards: dict[str, int]
) -> None:
    assign_board(project, lead, boards["Tech"], people=[ann.id])
    members.disable(project, lead, ann.id)
    page = raw(open_page())
    assert "Nobody is served the 15 posts of Tech that wait" in page
    assert "nobody</td>" in page


def test_a_board_for_which_all_blind_posts_wait_is_told(
    project: Project,
    lead: Account,
    ann: Account,
    ben: Account,
    boards: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in (claims, progress):
        monkeypatch.setattr(module, "HELD_OUT_AHEAD", 0)
    assign_board(project, lead, boards["Tech"], people=[ann.id])
    assert "Blind posts" not in raw(open_page())
    while held := answers.hold_posts(project, ben):
        answers.submit(project, ben, held[0].post_id, "normal")
    assert "Blind posts of other boards wait until those of Tech are labelled" in raw(open_page())


def test_a_board_is_assigned_and_released(project: Project, ann: Account, boards: dict[str, int]) -> None:
    group = make_group(project, member(project, "林", "lead"), "夜班")
    app = open_page()
    app.selectbox(key="assign-board").select(boards["Tech"]).run()
    people, groups = app.multiselect(key=f"assign-people-{boards['Tech']}-[]-[]"), app.multiselect[1]
    people.select(ann.id)
    groups.select(group)
    click(app, "assign-save")
    with project.database.read() as session:
        rows = session.execute(select(BoardAssignment.person_id, BoardAssignment.group_id)).all()
    assert {tuple(row) for row in rows} == {(ann.id, None), (None, group)}
    assert "夜班, Ann</td>" in raw(app)
    for field in app.multiselect:
        field.set_value([])
    click(app, "assign-save")
    assert "夜班, Ann</td>" not in raw(app)


def test_who_is_disabled_stays_assigned_when_others_are_added(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int]
) -> None:
    assign_board(project, lead, boards["Tech"], people=[ann.id])
    members.disable(project, lead, ann.id)
    app = open_page()
    app.selectbox(key="assign-board").select(boards["Tech"]).run()
    app.multiselect[0].select(ben.id)
    click(app, "assign-save")
    with project.database.read() as session:
        assert set(session.scalars(select(BoardAssignment.person_id))) == {ann.id, ben.id}


def test_a_group_is_made_filled_and_deleted(project: Project, ann: Account, boards: dict[str, int]) -> None:
    app = open_page()
    app.text_input(key="group-name").input("夜班")
    click(app, "group-make")
    with project.database.read() as session:
        group = session.scalars(select(TeamGroup.id)).one()
    app.selectbox(key="group").select(group).run()
    app.multiselect(key=f"group-members-{group}-[]").select(ann.id)
    click(app, "group-save")
    with project.database.read() as session:
        assert session.scalars(select(GroupMember.person_id)).all() == [ann.id]
    click(app, "group-delete")
    with project.database.read() as session:
        assert session.scalars(select(TeamGroup.id)).all() == []


def test_a_refusal_is_told(project: Project, lead: Account, boards: dict[str, int]) -> None:
    make_group(project, lead, "夜班")
    app = open_page()
    app.text_input(key="group-name").input("夜班")
    click(app, "group-make")
    assert "There is a group of that name." in raw(app)


def test_a_goal_is_set_and_given_back_to_the_project(
    project: Project, ann: Account, boards: dict[str, int]
) -> None:
    app = open_page()
    app.selectbox(key="goal-person").select(ann.id).run()
    for field, value in zip(app.number_input, (80, 30), strict=True):
        field.set_value(value)
    for button, values in (("goal-save", (80, 30)), ("goal-reset", (None, None))):
        click(app, button)
        with project.database.read() as session:
            person = session.get_one(Person, ann.id)
            assert (person.daily_goal, person.second_opinion_share) == values


def test_a_reviewer_looks_and_changes_nothing(
    project: Project, visit_as: VisitAs, boards: dict[str, int]
) -> None:
    visit_as(member(project, "Rev", "reviewer"))
    app = open_page()
    assert "<td>Tech</td>" in raw(app)
    assert not app.button
    assert not app.selectbox


def test_an_annotator_is_refused(ann: Account, visit_as: VisitAs, boards: dict[str, int]) -> None:
    visit_as(ann)
    assert "Ann may not do this" in raw(open_page())


def test_hostile_names_are_shown_as_text(
    project: Project, lead: Account, ann: Account, boards: dict[str, int]
) -> None:
    with project.database.write() as session:
        session.get_one(Board, boards["Tech"]).name = HOSTILE
    app = open_page()
    assert "<img" not in raw(app)
    assert "<img src=x>␣U+202E!" in unescape(raw(app))
    assert any("␣U+202E" in option for option in app.selectbox(key="assign-board").options)


def test_of_very_many_boards_the_first_are_listed(
    boards: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(team_page, "SHOWN", 1)
    assert "2 more boards are not listed." in raw(open_page())


def test_a_project_without_boards_says_so(lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    assert "The imported files name no board." in raw(open_page())


def test_it_speaks_chinese(
    project: Project, lead: Account, visit_as: VisitAs, ann: Account, boards: dict[str, int]
) -> None:
    set_members(project, lead, make_group(project, lead, "夜班"), [ann.id])
    visit_as(lead, language="zh")
    assert "版块" in raw(open_page())
