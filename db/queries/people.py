"""The answers of people over time."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.queries.standing import is_current, is_first_thought, is_labelled
from db.tables import Annotation, Post, PostGroup


def answers_given(
    person_id: int | ColumnElement[int], since: datetime | ColumnElement[datetime]
) -> Select[Annotation]:
    return select(Annotation).where(
        Annotation.person_id == person_id,
        Annotation.saved_at >= since,
        Annotation.action != "undo",
        Annotation.origin == "person",
    )


def acts_of(person_id: int, since: datetime) -> Select[*tuple[Any, ...]]:
    """A person's actions since a moment, in order of time, each with the annotation that it superseded; no imports.

    `saved` and `shown` are seconds since 1970.
    """
    before = aliased(Annotation)
    return (
        select(
            Annotation.action,
            Annotation.label,
            Annotation.origin,
            Annotation.is_flagged,
            epoch(Annotation.saved_at).label("saved"),
            epoch(Annotation.shown_at).label("shown"),
            before.action.label("action_before"),
            before.label.label("label_before"),
            before.is_flagged.label("was_flagged"),
        )
        .outerjoin(before, before.id == Annotation.supersedes_id)
        .where(
            Annotation.person_id == person_id,
            Annotation.saved_at >= since,
            Annotation.origin != "import",
        )
        .order_by(Annotation.saved_at, Annotation.id)
    )


def first_labels(person_id: int, since: datetime, until: datetime) -> Select[*tuple[Any, ...]]:
    """Labels that are no corrections: saved_at, seconds from showing to saving, suggestion, label, and whether the
    suggestion was visible.
    """
    return (
        select(
            Annotation.saved_at,
            (epoch(Annotation.saved_at) - epoch(Annotation.shown_at)).label("seconds"),
            Annotation.suggestion,
            Annotation.label,
            Annotation.was_suggestion_visible,
        )
        .where(
            Annotation.person_id == person_id,
            Annotation.saved_at >= since,
            Annotation.saved_at < until,
            Annotation.action == "label",
            Annotation.origin == "person",
            is_first_thought(),
        )
        .order_by(Annotation.saved_at)
    )


def skipped_unlabelled() -> Select[int]:
    """Posts that were skipped without a question to a lead and have no label, except those set aside."""
    return (
        select(Annotation.post_id)
        .join(Post, Post.id == Annotation.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.action == "skip",
            Annotation.is_flagged.is_(False),
            is_current(),
            Post.is_quarantined.is_(False),
            ~is_labelled(),
        )
        .distinct()
    )


def epoch(moment: InstrumentedAttribute[Any]) -> ColumnElement[float]:
    """Seconds since 1970, to the millisecond; reading them takes a tenth of the time of dates."""
    return func.unixepoch(moment, "subsec")


def answered_by(post_ids: Iterable[int], person_id: int) -> Select[int]:
    return select(Annotation.post_id).where(
        Annotation.post_id.in_(list(post_ids)),
        Annotation.person_id == person_id,
        Annotation.origin == "person",
        Annotation.action != "undo",
        is_current(),
    )
