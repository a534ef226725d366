"""Which people and groups label the posts of a board."""

from collections.abc import Collection

from sqlalchemy import delete, select

from db.tables import Board, BoardAssignment
from workbench.accounts import Account, Right, acting
from workbench.assigning.groups import group_of, names_of
from workbench.audit import record
from workbench.errors import InputError
from workbench.project import Project
from workbench.queue.assigned import follow_assignments


def assign_board(
    project: Project,
    by: Account,
    board_id: int,
    *,
    people: Collection[int] = (),
    groups: Collection[int] = (),
) -> None:
    """In place of earlier assignments of the board; without any, everybody is served its posts.

    Raises InputError if the board, a person or a group is not in the project.
    """
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        board = session.get(Board, board_id)
        if board is None:
            raise InputError("That board is not in this project.")
        names = names_of(session, people)
        group_names = sorted(group_of(session, group).name for group in set(groups))
        of_board = BoardAssignment.board_id == board_id
        rows = select(BoardAssignment.person_id, BoardAssignment.group_id).where(of_board)
        wanted = {*((person, None) for person in people), *((None, group) for group in groups)}
        if {(row.person_id, row.group_id) for row in session.execute(rows)} == wanted:
            return
        session.execute(delete(BoardAssignment).where(of_board))
        session.add_all(
            BoardAssignment(board_id=board_id, person_id=person, group_id=group) for person, group in wanted
        )
        follow_assignments(session, project, [board_id])
        record(session, project, by.id, "assign board", board.name, people=names, groups=group_names)
