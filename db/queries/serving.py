"""The queue: entries, claims, and which post goes to whom next."""

from datetime import datetime

from sqlalchemy import ColumnElement, Delete, ScalarSelect, Select, delete, exists, func, or_, select
from sqlalchemy.orm import aliased

from db.queries.assigning.boards import boards_of, is_others
from db.queries.standing import is_current, is_resolved
from db.tables import (
    Annotation,
    BoardAssignment,
    Claim,
    Explanation,
    LapsedClaim,
    Person,
    Post,
    PostGroup,
    PostText,
    QueueEntry,
)

# Module-level: an alias costs a millisecond, and these queries run several times per key press.
_LATER = aliased(Annotation)
_FIRST = aliased(QueueEntry)


def has_answer() -> ColumnElement[bool]:
    labelled = exists().where(
        Annotation.post_id == QueueEntry.post_id,
        Annotation.action == "label",
        is_current(),
        # The lane tells whether the post is held out.
        or_(QueueEntry.lane != "held_out", Annotation.source.is_(None)),
    )
    return or_(labelled, is_resolved(QueueEntry.post_id))


def is_open() -> ColumnElement[bool]:
    """Not answered, in exactly the words of the partial index."""
    return ~QueueEntry.is_answered


def is_skipped() -> ColumnElement[bool]:
    """By anybody. Needs `QueueEntry` outside."""
    return exists().where(Annotation.post_id == QueueEntry.post_id, Annotation.action == "skip", is_current())


RECENT = 5_000
"""Newest annotations that are searched for a second opinion, so that the time does not grow with the project."""


def second_opinions_wanted(
    person_id: int | ColumnElement[int], now: datetime | ColumnElement[datetime]
) -> Select[int]:
    """Pool posts recently labelled by exactly one person, other than this one, newest first.

    Excludes posts with a live claim, resolved ones and those of other people's boards. The split is a subquery and not a join, because SQLite
    would start from all groups of the pool.
    """
    other = aliased(Annotation)
    another = (
        exists()
        .where(
            other.post_id == Annotation.post_id,
            other.person_id != Annotation.person_id,
            other.action.in_(("label", "skip")),
            ~exists().where(_LATER.supersedes_id == other.id),
        )
        .correlate(Annotation)
    )
    held = exists().where(Claim.post_id == Annotation.post_id, Claim.slot == 1, Claim.expires_at > now)
    split = (
        select(PostGroup.split)
        .join(Post, Post.group_id == PostGroup.id)
        .where(Post.id == Annotation.post_id)
        .correlate(Annotation)
        .scalar_subquery()
    )
    return (
        select(Annotation.post_id)
        .where(
            Annotation.id > select(func.max(Annotation.id) - RECENT).scalar_subquery(),
            Annotation.action == "label",
            Annotation.origin == "person",
            Annotation.person_id != person_id,
            split == "pool",
            is_current(),
            ~another,
            ~held,
            ~is_resolved(Annotation.post_id),
            ~is_others(Annotation.post_id.expression, person_id),
        )
        .order_by(Annotation.id.desc())
    )


def free_entries(
    lane: str | ColumnElement[str],
    person_id: int | ColumnElement[int],
    now: datetime | ColumnElement[datetime],
) -> Select[QueueEntry]:
    """Of posts that everybody is served, in the order of the lane."""
    return _free_entries(lane, person_id, now).where(QueueEntry.board_id.is_(None))


def first_of_boards(
    lane: str | ColumnElement[str],
    person_id: int | ColumnElement[int],
    now: datetime | ColumnElement[datetime],
) -> Select[int, int]:
    """(position, post) of the first free entry among those of the boards assigned to the person.

    One entry of each board is looked up in the index; sorting all entries of several boards would read the lane.
    """
    board = boards_of(person_id).distinct().subquery()
    first = (
        _free_entries(lane, person_id, now)
        .where(QueueEntry.board_id == board.c.board_id)
        .with_only_columns(QueueEntry.post_id)
        .limit(1)
        .correlate(board)
        .scalar_subquery()
    )
    return (
        select(_FIRST.position, _FIRST.post_id)
        .join_from(board, _FIRST, _FIRST.post_id == first)
        .order_by(_FIRST.position)
        .limit(1)
    )


def front_of_boards(lane: str | ColumnElement[str]) -> ScalarSelect[int | None]:
    """The least position in the lane among posts of assigned boards that nobody has answered or skipped."""
    first = (
        select(QueueEntry.position)
        .where(
            QueueEntry.lane == lane,
            is_open(),
            QueueEntry.board_id == BoardAssignment.board_id,
            ~is_skipped(),
        )
        .order_by(QueueEntry.position)
        .limit(1)
        .correlate(BoardAssignment)
        .scalar_subquery()
    )
    return select(func.min(first)).select_from(BoardAssignment).scalar_subquery()


def _free_entries(
    lane: str | ColumnElement[str],
    person_id: int | ColumnElement[int],
    now: datetime | ColumnElement[datetime],
) -> Select[QueueEntry]:
    held = exists().where(Claim.post_id == QueueEntry.post_id, Claim.slot == 0, Claim.expires_at > now)
    skipped = exists().where(
        Annotation.post_id == QueueEntry.post_id,
        Annotation.action == "skip",
        Annotation.person_id == person_id,
        is_current(),
    )
    return (
        select(QueueEntry)
        .where(QueueEntry.lane == lane, is_open(), ~held, ~skipped)
        .order_by(QueueEntry.position)
    )


def queue_left() -> Select[str, int]:
    return select(QueueEntry.lane, func.count()).where(is_open()).group_by(QueueEntry.lane)


def test_posts_left() -> Select[int]:
    """The number of queued test posts without an answer."""
    return (
        select(func.count())
        .select_from(QueueEntry)
        .join(Post, Post.id == QueueEntry.post_id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(is_open(), QueueEntry.lane == "held_out", PostGroup.split == "test", ~has_answer())
    )


def others_entries(person_id: int) -> Select[int]:
    """The number of open entries of boards that are not assigned to this person."""
    is_others = QueueEntry.board_id.is_not(None), QueueEntry.board_id.not_in(boards_of(person_id))
    return select(func.count()).select_from(QueueEntry).where(is_open(), *is_others)


def live_claims(now: datetime) -> Select[int]:
    return select(Claim.post_id).where(Claim.expires_at > now)


def claims_of(person_id: int | ColumnElement[int]) -> Select[Claim]:
    # The post on screen comes first. Ended leases that no other person has claimed are included.
    return select(Claim).where(Claim.person_id == person_id).order_by(Claim.claimed_at, Claim.post_id)


def releases(person_id: int) -> tuple[Delete, Delete]:
    """Give back all that this person holds, and their right to answer late what they once held."""
    return (
        delete(Claim).where(Claim.person_id == person_id),
        delete(LapsedClaim).where(LapsedClaim.person_id == person_id),
    )


def holders(now: datetime) -> Select[int, str, int, datetime]:
    """(person, name, number of open posts, end of the last lease) of people with claims."""
    return (
        select(Person.id, Person.name, func.count(), func.max(Claim.expires_at))
        .join(Claim, Claim.person_id == Person.id)
        .join(QueueEntry, QueueEntry.post_id == Claim.post_id)
        .where(is_open(), Claim.slot == 0, Claim.expires_at > now)
        .group_by(Person.id)
        .order_by(Person.name)
    )


def skipped_entries(person_id: int) -> Select[Annotation]:
    return (
        select(Annotation)
        .join(QueueEntry, QueueEntry.post_id == Annotation.post_id)
        .where(is_open(), Annotation.person_id == person_id, Annotation.action == "skip", is_current())
    )


def unexplained_posts(round_number: int, now: datetime) -> Select[int, str]:
    """(id, text) of claimed posts with a score of this round and no explanation, newest claim first.

    Never held-out posts, whose scores stay hidden. The query runs every second and has no joins, because
    SQLite would start from all texts or from the whole pool and not from the few claims.
    """
    text = select(PostText.text).where(PostText.post_id == Claim.post_id).scalar_subquery()
    split = (
        select(PostGroup.split)
        .join(Post, Post.group_id == PostGroup.id)
        .where(Post.id == Claim.post_id)
        .scalar_subquery()
    )
    scored = exists().where(
        QueueEntry.post_id == Claim.post_id,
        QueueEntry.round_number == round_number,
        QueueEntry.lane != "held_out",
    )
    explained = exists().where(Explanation.post_id == Claim.post_id, Explanation.round_number == round_number)
    return (
        select(Claim.post_id, text.label("text"))
        .where(Claim.expires_at > now, Claim.lane != "held_out", split == "pool", scored, ~explained)
        .group_by(Claim.post_id)
        .order_by(func.max(Claim.claimed_at).desc(), Claim.post_id)
    )


def served_blind(post_id: int) -> Select[int]:
    """Current answers, including skips, that were given to this post in the held-out lane."""
    return select(Annotation.id).where(
        Annotation.post_id == post_id,
        Annotation.lane == "held_out",
        Annotation.action != "undo",
        is_current(),
    )
