"""How far people and boards are. Sorted by name: it is no ranking."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries.assigning.progress import (
    held_out_firsts,
    held_out_passed_over,
    labelled_by_board,
    people_at_work,
    posts_by_board,
    waiting_by_board,
)
from db.tables import Board, BoardAssignment, GroupMember, TeamGroup
from workbench.accounts import COMMAND_LINE, Account, Right, reading
from workbench.project import Project
from workbench.queue.claims import HELD_OUT_AHEAD


@dataclass(frozen=True)
class Teammate:
    """`goal` is the daily goal in force, 0 for none; `own_goal` and `second_opinions` are None for the project's."""

    id: int
    name: str
    role: str
    today: int
    week: int
    open_posts: int
    goal: int
    own_goal: int | None
    second_opinions: int | None


@dataclass(frozen=True)
class Group:
    id: int
    name: str
    people: Sequence[int]


@dataclass(frozen=True)
class AssignedBoard:
    """`waiting` posts are in the queue; `passed_over` held-out ones of them after which others were labelled, until
    no others are (`holds_up`).

    `served_to`: the active people who get its posts; without an assignment everybody does.
    """

    id: int
    name: str
    people: Sequence[int]
    groups: Sequence[int]
    served_to: Sequence[int]
    waiting: int
    passed_over: int
    holds_up: bool

    @property
    def is_assigned(self) -> bool:
        return bool(self.people or self.groups)

    @property
    def is_unattended(self) -> bool:
        """Assigned, but to no active person."""
        return self.is_assigned and not self.served_to


@dataclass(frozen=True)
class Team:
    people: Sequence[Teammate]
    groups: Sequence[Group]
    boards: Sequence[AssignedBoard]


@dataclass(frozen=True)
class BoardCounts:
    posts: int = 0
    labelled: int = 0


def read_team(project: Project, account: Account, midnight: datetime, monday: datetime) -> Team:
    """`midnight` and `monday` begin the day and the week on the reader's clock. Raises NotAllowedError."""
    with reading(project, account, Right.REVIEW) as session:
        people = _people(session, project, midnight, monday)
        groups = _groups(session)
        return Team(people, groups, _boards(session, people, groups))


def count_by_board(project: Project, account: Account) -> Mapping[int, BoardCounts]:
    """Reads every post: some seconds for ten million. Raises NotAllowedError."""
    with reading(project, account, Right.REVIEW) as session:
        labelled = dict(session.execute(labelled_by_board()).all())
        posts = session.execute(posts_by_board()).all()
        return {
            board: BoardCounts(count, labelled.get(board, 0)) for board, count in posts if board is not None
        }


def _people(session: Session, project: Project, midnight: datetime, monday: datetime) -> list[Teammate]:
    return [
        Teammate(
            id=row.id,
            name=row.name,
            role=row.role,
            today=row.today,
            week=row.week,
            open_posts=row.open_posts,
            goal=project.settings.daily_goal if row.daily_goal is None else row.daily_goal,
            own_goal=row.daily_goal,
            second_opinions=row.second_opinion_share,
        )
        for row in session.execute(people_at_work(project.now(), midnight, monday))
        if row.name != COMMAND_LINE
    ]


def _groups(session: Session) -> list[Group]:
    members: defaultdict[int, list[int]] = defaultdict(list)
    for row in session.scalars(select(GroupMember).order_by(GroupMember.person_id)):
        members[row.group_id].append(row.person_id)
    groups = session.scalars(select(TeamGroup).order_by(TeamGroup.name))
    return [Group(group.id, group.name, members[group.id]) for group in groups]


def _boards(session: Session, people: Sequence[Teammate], groups: Sequence[Group]) -> list[AssignedBoard]:
    active, members = {person.id for person in people}, {group.id: group.people for group in groups}
    assigned: defaultdict[int, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for row in session.scalars(select(BoardAssignment).order_by(BoardAssignment.id)):
        if row.person_id is not None:
            assigned[row.board_id][0].append(row.person_id)
        elif row.group_id is not None:
            assigned[row.board_id][1].append(row.group_id)
    waiting, passed_over = (
        dict(session.execute(query).all()) for query in (waiting_by_board(), held_out_passed_over())
    )
    slow = _slow(dict(session.execute(held_out_firsts()).all()))
    boards = []
    for board in session.scalars(select(Board).order_by(Board.name)):
        its_people, its_groups = assigned[board.id]
        served_to = {*its_people, *(person for group in its_groups for person in members[group])} & active
        boards.append(
            AssignedBoard(
                board.id,
                board.name,
                its_people,
                its_groups,
                sorted(served_to),
                waiting.get(board.id, 0),
                passed_over.get(board.id, 0),
                board.id in slow,
            )
        )
    return boards


def _slow(firsts: Mapping[int | None, int]) -> set[int | None]:
    """The board whose first held-out post all others have left so far behind that they wait for it."""
    order = sorted(firsts, key=firsts.__getitem__)
    if len(order) < 2 or firsts[order[1]] <= firsts[order[0]] + HELD_OUT_AHEAD:
        return set()
    return {order[0]}
