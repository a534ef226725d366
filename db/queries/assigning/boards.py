"""The boards of the forum, and whom their posts are served to."""

from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Delete,
    ScalarSelect,
    Select,
    Update,
    delete,
    exists,
    or_,
    select,
    update,
)

from db.tables import BoardAssignment, Claim, GroupMember, Post, QueueEntry


def boards_of(person_id: int | ColumnElement[int]) -> Select[int]:
    """Boards assigned to a person, directly or by a group; a board may come twice."""
    groups = select(GroupMember.group_id).where(GroupMember.person_id == person_id)
    return select(BoardAssignment.board_id).where(
        or_(BoardAssignment.person_id == person_id, BoardAssignment.group_id.in_(groups))
    )


def is_others(post_id: ColumnElement[int], person_id: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the post's board is assigned, and not to this person."""
    return exists().where(
        Post.id == post_id,
        BoardAssignment.board_id == Post.board_id,
        Post.board_id.not_in(boards_of(person_id)),
    )


def assigned_board() -> ScalarSelect[int | None]:
    """The value of `QueueEntry.board_id`, for the post of the query around it."""
    board = select(BoardAssignment.board_id).where(BoardAssignment.board_id == Post.board_id)
    return board.limit(1).correlate(Post).scalar_subquery()


def entries_renewed(board_id: int) -> Update:
    """Sets `QueueEntry.board_id` of a board's posts, after a change of its assignments."""
    board = select(Post.board_id).where(Post.id == QueueEntry.post_id).scalar_subquery()
    is_assigned = exists().where(BoardAssignment.board_id == board_id)
    number = select(Post.board_id).where(Post.id == QueueEntry.post_id, is_assigned).scalar_subquery()
    return update(QueueEntry).where(board == board_id).values(board_id=number)


def claims_of_others_boards(now: datetime) -> Delete:
    """Claims of posts that their holders are no longer served. A post that is on a screen stays there."""
    is_waiting = or_(Claim.shown_at.is_(None), Claim.expires_at <= now)
    return delete(Claim).where(is_waiting, is_others(Claim.post_id.expression, Claim.person_id.expression))
