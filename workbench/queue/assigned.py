"""The queue and the claims after a change of whom boards are assigned to."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from db.queries.assigning.boards import claims_of_others_boards, entries_renewed
from workbench.project import Project


def follow_assignments(session: Session, project: Project, board_ids: Iterable[int] = ()) -> None:
    """Mark the entries of these boards, and give back the posts that people no longer get.

    Not those that are on a screen: they are answered as they would have been.
    """
    session.flush()
    connection = session.connection()
    for board_id in board_ids:
        connection.execute(entries_renewed(board_id))
    connection.execute(claims_of_others_boards(project.now()))
