"""Flagged posts, disagreements, and resolutions."""

from collections.abc import Iterable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import aliased

from db.queries.standing import is_current, is_decided, is_first_thought, is_resolved
from db.tables import Annotation, AuditEntry, CheckAnswer, Person, Post, PostText, Resolution

A = TypeVar("A", Annotation, CheckAnswer)


def flagged_answers() -> Select[Annotation, Person, str, str]:
    """Answers that wait for a lead: annotation, person, external_id, text; newest first.

    A resolution removes a post from the list until a new question.
    """
    return flagged(Annotation).where(is_current())


def flagged(answer: type[A]) -> Select[A, Person, str, str]:
    """As `flagged_answers`, superseded ones included, for answers of either kind."""
    before = aliased(answer)
    asked_before = exists().where(before.id == answer.supersedes_id, before.is_flagged).correlate(answer)
    decided_since = exists().where(
        Resolution.post_id == answer.post_id,
        is_decided(),
        or_(Resolution.decided_at >= answer.saved_at, asked_before),
    )
    return (
        select(answer, Person, Post.external_id, PostText.text)
        .join(Person, Person.id == answer.person_id)
        .join(Post, Post.id == answer.post_id)
        .join(PostText, PostText.post_id == Post.id)
        .where(answer.is_flagged, answer.action != "undo", ~decided_since.correlate_except(Resolution))
        .order_by(answer.id.desc())
    )


def asked_of_lead() -> Select[int]:
    return flagged_answers().with_only_columns(Annotation.post_id).order_by(None)


def disagreements() -> Select[int, str, str]:
    """(post_id, external_id, text) of unresolved posts with different labels, newest judgement first."""
    return (
        select(Post.id, Post.external_id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .join(Annotation, Annotation.post_id == Post.id)
        .where(
            Post.id.in_(select(Annotation.post_id).where(Annotation.slot == 1)),
            Annotation.action == "label",
            Annotation.source.is_(None),
            is_current(),
            ~is_resolved(Annotation.post_id),
        )
        .group_by(Post.id, Post.external_id, PostText.text)
        .having(func.count(Annotation.label.distinct()) > 1)
        .order_by(func.max(Annotation.id).desc())
    )


def first_thoughts_on_suggestions() -> Select[Annotation]:
    return select(Annotation).where(
        Annotation.action == "label",
        Annotation.origin == "person",
        Annotation.suggestion.is_not(None),
        is_first_thought(),
    )


def decisions(post_ids: Iterable[int]) -> Select[Resolution, str]:
    return (
        select(Resolution, Person.name)
        .join(Person, Person.id == Resolution.person_id)
        .where(Resolution.post_id.in_(list(post_ids)))
        .order_by(Resolution.id)
    )


def bulk_decisions(most: int) -> Select[int, str, str, datetime, int, int]:
    """(id, person, label, time, number of posts, number still in force), newest first."""
    later = aliased(Resolution)
    stands = ~exists().where(later.post_id == Resolution.post_id, later.id > Resolution.id)
    return (
        select(
            AuditEntry.id,
            Person.name,
            AuditEntry.subject,
            AuditEntry.at,
            func.count(Resolution.post_id.distinct()),
            func.count(Resolution.id).filter(stands),
        )
        .join(Person, Person.id == AuditEntry.person_id)
        .join(Resolution, Resolution.bulk_id == AuditEntry.id)
        .where(Resolution.label.is_not(None))
        .group_by(AuditEntry.id)
        .order_by(AuditEntry.id.desc())
        .limit(most)
    )


def standing_of_bulk(bulk_id: int) -> Select[Resolution]:
    later = aliased(Resolution)
    return select(Resolution).where(
        Resolution.bulk_id == bulk_id,
        Resolution.label.is_not(None),
        ~exists().where(later.post_id == Resolution.post_id, later.id > Resolution.id),
    )
