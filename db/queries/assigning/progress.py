"""Progress by person and by board."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from db.queries.checks import is_current_check
from db.queries.people import answers_given
from db.queries.serving import is_open, is_skipped
from db.queries.standing import is_current, labelled_posts
from db.tables import Annotation, CheckAnswer, Claim, Person, Post, QueueEntry

FAR = 2**62
"""Beyond every position of a lane."""


def people_at_work(now: datetime, midnight: datetime, monday: datetime) -> Select[*tuple[Any, ...]]:
    """Active people with their labels since both moments and their open posts, by name."""
    open_posts = select(func.count()).where(Claim.person_id == Person.id, Claim.expires_at > now)
    return (
        select(
            Person.id,
            Person.name,
            Person.role,
            Person.daily_goal,
            Person.second_opinion_share,
            _labels_since(midnight).label("today"),
            _labels_since(monday).label("week"),
            open_posts.correlate(Person).scalar_subquery().label("open_posts"),
        )
        .where(Person.is_active)
        .order_by(Person.name)
    )


def posts_by_board() -> Select[int | None, int]:
    return select(Post.board_id, func.count()).where(Post.board_id.is_not(None)).group_by(Post.board_id)


def labelled_by_board() -> Select[int | None, int]:
    posts = labelled_posts().subquery()
    return posts_by_board().join(posts, posts.c.post_id == Post.id)


def waiting_by_board() -> Select[int | None, int]:
    """Open posts of the queue."""
    return posts_by_board().join(QueueEntry, QueueEntry.post_id == Post.id).where(is_open())


def held_out_passed_over() -> Select[int | None, int]:
    """By assigned board: its open held-out posts that stand before the first one that everybody is served."""
    is_held_out = QueueEntry.lane == "held_out"
    first = (
        select(func.min(QueueEntry.position))
        .where(is_held_out, QueueEntry.board_id.is_(None), is_open())
        .scalar_subquery()
    )
    return (
        select(QueueEntry.board_id, func.count())
        .where(
            is_held_out,
            is_open(),
            QueueEntry.board_id.is_not(None),
            QueueEntry.position < func.coalesce(first, FAR),
        )
        .group_by(QueueEntry.board_id)
    )


def held_out_firsts() -> Select[int | None, int]:
    """By assigned board, and None for posts that everybody is served: the least position of a held-out post that
    is neither answered nor skipped.
    """
    return (
        select(QueueEntry.board_id, func.min(QueueEntry.position))
        .where(QueueEntry.lane == "held_out", is_open(), ~is_skipped())
        .group_by(QueueEntry.board_id)
    )


def _labels_since(moment: datetime) -> ColumnElement[int]:
    """Answers to check posts included, as on the Label page."""
    who: ColumnElement[int] = Person.id.expression
    labels = answers_given(who, moment).where(Annotation.action == "label", is_current())
    checks = select(func.count()).where(
        CheckAnswer.person_id == Person.id,
        CheckAnswer.saved_at >= moment,
        CheckAnswer.action == "label",
        is_current_check(),
    )
    counted = labels.with_only_columns(func.count())
    return counted.correlate(Person).scalar_subquery() + checks.correlate(Person).scalar_subquery()
