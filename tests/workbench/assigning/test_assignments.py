"""A board that is assigned goes to its people alone, and no post is left to nobody without a word."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from db.queries.serving import first_of_boards, free_entries, front_of_boards
from db.tables import Annotation, AuditEntry, BoardAssignment, Claim, GroupMember, QueueEntry, TeamGroup
from tests.workbench.assigning.making import BOARDS, board_of, queue_of_boards, split_of
from tests.workbench.making import add_label, order_quickly, undecided
from tests.workbench.plans import plans_of
from tests.workbench.team import member
from workbench.accounts import Account, command_line
from workbench.assigning.assignments import assign_board
from workbench.assigning.groups import delete_group, make_group, set_members
from workbench.assigning.progress import read_team
from workbench.errors import InputError, NotAllowedError
from workbench.labelling import answers
from workbench.people import members
from workbench.project import Project
from workbench.queue import claims, swap


@pytest.fixture
def boards(project: Project, lead: Account) -> dict[str, int]:
    return queue_of_boards(project, lead)


def label_all(project: Project, person: Account) -> list[int]:
    """The posts in the order in which the person was served them."""
    served = []
    while held := answers.hold_posts(project, person):
        served.append(held[0].post_id)
        answers.submit(project, person, held[0].post_id, "normal")
    return served


def served_boards(project: Project, posts: list[int]) -> list[int | None]:
    return [board_of(project, post) for post in posts]


def open_entries(project: Project) -> list[QueueEntry]:
    with project.database.read() as session:
        return list(session.scalars(select(QueueEntry).where(~QueueEntry.is_answered)))


def test_each_board_has_a_number_and_a_post_without_one_has_none(
    project: Project, boards: dict[str, int]
) -> None:
    assert set(boards) == set(BOARDS)
    assert [board_of(project, post) for post in (1, 2, 3, 4, 5)] == [
        boards["水库"],
        boards["交易"],
        boards["Tech"],
        None,
        boards["水库"],
    ]


def test_without_assignments_everybody_gets_every_post(
    project: Project, ann: Account, boards: dict[str, int]
) -> None:
    assert set(served_boards(project, label_all(project, ann))) == {*boards.values(), None}
    assert open_entries(project) == []


def test_an_assigned_board_is_served_to_its_people_alone(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int]
) -> None:
    assign_board(project, lead, boards["交易"], people=[ann.id])
    assert boards["交易"] not in served_boards(project, label_all(project, ben))
    assert boards["交易"] in served_boards(project, label_all(project, ann))
    assert open_entries(project) == []


def test_a_person_gets_their_boards_first_and_then_those_of_everybody(
    project: Project, lead: Account, ann: Account, boards: dict[str, int]
) -> None:
    assign_board(project, lead, boards["交易"], people=[ann.id])
    served = [post for post in label_all(project, ann) if split_of(project, post) == "pool"]
    is_own = [board == boards["交易"] for board in served_boards(project, served)]
    assert is_own == sorted(is_own, reverse=True)
    assert not all(is_own)


def test_held_out_posts_keep_their_random_order(
    project: Project, lead: Account, ann: Account, boards: dict[str, int]
) -> None:
    with project.database.read() as session:
        lane = select(QueueEntry.post_id).where(QueueEntry.lane == "held_out")
        order = session.scalars(lane.order_by(QueueEntry.position)).all()
    assign_board(project, lead, boards["交易"], people=[ann.id])
    assert [post for post in label_all(project, ann) if split_of(project, post) != "pool"] == order


def test_held_out_posts_stop_soon_after_one_that_its_people_leave_unlabelled(
    project: Project,
    lead: Account,
    ann: Account,
    ben: Account,
    boards: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the boards of quick people would fill the sample."""
    monkeypatch.setattr(claims, "HELD_OUT_AHEAD", 2)
    lane = [entry for entry in open_entries(project) if entry.lane == "held_out"]
    lane.sort(key=lambda entry: entry.position)
    front = next(entry for entry in lane if board_of(project, entry.post_id) is not None)
    board = board_of(project, front.post_id)
    assert board is not None
    assign_board(project, lead, board, people=[ann.id])
    label_all(project, ben)
    left = [entry for entry in open_entries(project) if entry.lane == "held_out"]
    reached = {entry.post_id for entry in lane if entry.position <= front.position + 2}
    assert {entry.post_id for entry in lane} - {entry.post_id for entry in left} == {
        post for post in reached if board_of(project, post) != board
    }
    label_all(project, ann)
    label_all(project, ben)
    assert [entry for entry in open_entries(project) if entry.lane == "held_out"] == []


def test_a_skipped_held_out_post_stops_nobody(
    project: Project,
    lead: Account,
    ann: Account,
    ben: Account,
    boards: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "HELD_OUT_AHEAD", 0)
    for board in boards.values():
        assign_board(project, lead, board, people=[ann.id])
    while held := answers.hold_posts(project, ann):
        answers.skip(project, ann, held[0].post_id)
    label_all(project, ben)
    left = [entry for entry in open_entries(project) if entry.lane == "held_out"]
    assert {board_of(project, entry.post_id) for entry in left} <= set(boards.values())


def test_second_opinions_are_asked_of_the_boards_people(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int]
) -> None:
    cleo = member(project, "Cleo", "annotator")
    assign_board(project, lead, boards["交易"], people=[ann.id, ben.id])
    (post,) = [post for post in (2, 6, 10, 14, 18) if split_of(project, post) == "pool"][:1]
    add_label(project, ann, post, "violation", lane="uncertain")
    with project.database.write() as session:
        session.execute(delete(QueueEntry))
    assert answers.hold_posts(project, cleo) == []
    alone = replace(project, settings=project.settings.model_copy(update={"second_opinion_share": 10**6}))
    assert answers.hold_posts(alone, cleo) == []
    assert [card.post_id for card in answers.hold_posts(alone, ben)] == [post]


def test_a_post_on_a_screen_stays_there_and_the_next_one_goes_back(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int]
) -> None:
    for board in boards.values():
        assign_board(project, lead, board, people=[ann.id])
    on_screen, following = (card.post_id for card in answers.hold_posts(project, ann))
    for board in boards.values():
        assign_board(project, lead, board, people=[ben.id])
    assert board_of(project, following) in boards.values()
    with project.database.read() as session:
        assert session.scalars(select(Claim.post_id)).all() == [on_screen]
    answers.submit(project, ann, on_screen, "violation")
    assert board_of(project, answers.hold_posts(project, ann)[0].post_id) is None


@pytest.mark.parametrize("is_quick", [True, False])
def test_a_new_queue_keeps_to_the_assignments(
    project: Project, lead: Account, ann: Account, boards: dict[str, int], is_quick: bool
) -> None:
    assign_board(project, lead, boards["Tech"], people=[lead.id])
    if is_quick:
        assert order_quickly(project, undecided)
    else:
        swap.rebuild(project)
    assert {entry.board_id for entry in open_entries(project)} == {None, boards["Tech"]}
    assert boards["Tech"] not in served_boards(project, label_all(project, ann))


def test_a_group_stands_for_its_members(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int]
) -> None:
    group = make_group(project, lead, "夜班")
    set_members(project, lead, group, [ann.id])
    assign_board(project, lead, boards["交易"], groups=[group])
    assert boards["交易"] in served_boards(
        project, [card.post_id for card in answers.hold_posts(project, ann)]
    )
    assert boards["交易"] not in served_boards(project, label_all(project, ben))
    delete_group(project, lead, group)
    assert boards["交易"] in served_boards(project, label_all(project, ben))


def test_who_may_not_manage_people_assigns_nothing(
    project: Project, ann: Account, boards: dict[str, int]
) -> None:
    for refused in (
        lambda: assign_board(project, ann, boards["交易"], people=[ann.id]),
        lambda: make_group(project, ann, "mine"),
        lambda: set_members(project, ann, 1, [ann.id]),
        lambda: delete_group(project, ann, 1),
    ):
        with pytest.raises(NotAllowedError):
            refused()
    with project.database.read() as session:
        assert (
            session.scalars(select(BoardAssignment)).all() == session.scalars(select(TeamGroup)).all() == []
        )


def test_what_is_not_there_is_refused(project: Project, lead: Account, boards: dict[str, int]) -> None:
    for refused, reason in (
        (lambda: assign_board(project, lead, 99), "board is not"),
        (lambda: assign_board(project, lead, boards["Tech"], people=[99]), "person is not"),
        (lambda: assign_board(project, lead, boards["Tech"], people=[command_line(project).id]), "person is"),
        (lambda: assign_board(project, lead, boards["Tech"], groups=[99]), "group is not"),
        (lambda: set_members(project, lead, 99, []), "group is not"),
    ):
        with pytest.raises(InputError, match=reason):
            refused()


def test_groups_that_look_alike_are_one(project: Project, lead: Account) -> None:
    make_group(project, lead, "Nights")
    with pytest.raises(InputError, match="a group of that name"):
        make_group(project, lead, "nіghts")  # with a Cyrillic і


def test_each_change_is_recorded_and_what_changes_nothing_is_not(
    project: Project, lead: Account, ann: Account, boards: dict[str, int]
) -> None:
    group = make_group(project, lead, "夜班")
    for _ in range(2):
        set_members(project, lead, group, [ann.id])
        assign_board(project, lead, boards["Tech"], people=[ann.id], groups=[group])
    delete_group(project, lead, group)
    with project.database.read() as session:
        rows = session.scalars(select(AuditEntry).where(AuditEntry.person_id == lead.id)).all()
    assert [(row.action, row.subject, row.detail) for row in rows if row.action != "import"] == [
        ("make group", "夜班", {}),
        ("set group members", "夜班", {"people": ["Ann"]}),
        ("assign board", "Tech", {"people": ["Ann"], "groups": ["夜班"]}),
        ("delete group", "夜班", {}),
    ]


def test_a_board_whose_people_are_all_disabled_is_reported(
    project: Project, lead: Account, ann: Account, boards: dict[str, int]
) -> None:
    assign_board(project, lead, boards["Tech"], people=[ann.id])
    members.disable(project, lead, ann.id)
    team = read_team(project, lead, project.now(), project.now())
    assert [board.name for board in team.boards if board.is_unattended] == ["Tech"]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_nobody_gets_a_board_of_others_and_every_post_reaches_somebody_or_is_reported(
    project: Project, lead: Account, ann: Account, ben: Account, boards: dict[str, int], data: st.DataObject
) -> None:
    cleo, nights = member(project, "Cleo", "annotator"), _group(project, lead)
    _begin_anew(project)
    team = [ann, ben, cleo]
    set_members(project, lead, nights, data.draw(st.sets(st.sampled_from([person.id for person in team]))))
    people = st.sets(st.sampled_from([person.id for person in team]))
    for board in boards.values():
        assign_board(
            project,
            lead,
            board,
            people=data.draw(people),
            groups=data.draw(st.sampled_from([[], [nights]])),
        )
    disabled = data.draw(st.sampled_from([None, ann, ben]))
    if disabled is not None:
        members.disable(project, lead, disabled.id)
    seen = {board.id: board for board in read_team(project, lead, project.now(), project.now()).boards}
    for person in (person for person in team if person != disabled):
        for post in label_all(project, person):
            board = board_of(project, post)
            assert board is None or not seen[board].is_assigned or person.id in seen[board].served_to
    left = {board_of(project, entry.post_id) for entry in open_entries(project)}
    assert left == {board.id for board in seen.values() if board.is_unattended}
    if disabled is not None:
        members.enable(project, lead, disabled.id)


def _group(project: Project, lead: Account) -> int:
    with project.database.read() as session:
        made = session.scalar(select(TeamGroup.id))
    return make_group(project, lead, "nights") if made is None else made


def _begin_anew(project: Project) -> None:
    """Nothing labelled, held or assigned."""
    with project.database.write() as session:
        connection = session.connection()
        connection.exec_driver_sql("DROP TRIGGER IF EXISTS annotation_no_delete")
        for table in (Claim, BoardAssignment, GroupMember, Annotation):
            session.execute(delete(table))
    swap.rebuild(project)


def test_the_next_post_is_found_in_the_index_of_boards(
    project: Project, lead: Account, ann: Account, boards: dict[str, int]
) -> None:
    assign_board(project, lead, boards["Tech"], people=[ann.id])
    now = project.now()
    of_boards, of_all, front = (
        plans_of(project, lambda session, query=query: session.execute(query).all())[0]  # type: ignore[misc]
        for query in (
            first_of_boards("uncertain", ann.id, now),
            free_entries("uncertain", ann.id, now).limit(1),
            select(front_of_boards("held_out")),
        )
    )
    in_lane = "queue_entry USING INDEX ix_queue_entry_board (lane=? AND board_id=?)"
    for plan in (of_boards, of_all, front):
        assert any(
            in_lane.replace(" INDEX", index) in step
            for step in plan
            for index in (" INDEX", " COVERING INDEX")
        ), plan
        assert not any("SCAN queue_entry" in step for step in plan), plan
    assert not any("B-TREE" in step for step in of_all), of_all
