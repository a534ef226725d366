"""The post on an annotator's screen, and what is saved with its answer."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, select
from sqlalchemy.orm import aliased

from db.queries.standing import is_current, is_resolved
from db.tables import Annotation, Claim, Draft, LapsedClaim, Post, PostFacts, PostText, QueueEntry

# Module-level: an alias costs a millisecond, and these queries run several times per key press.
_OTHER = aliased(Post)


def unlabelled_copies(post_id: int | ColumnElement[int]) -> Select[int, str]:
    """(id, text) of a post's near-copies without a label or a resolution, except those set aside."""
    group = select(Post.group_id).where(Post.id == post_id).scalar_subquery()
    labelled = exists().where(Annotation.post_id == Post.id, Annotation.action == "label", is_current())
    return (
        select(Post.id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .where(
            Post.group_id == group,
            Post.id != post_id,
            Post.is_quarantined.is_(False),
            ~labelled,
            ~is_resolved(Post.id),
        )
        .order_by(Post.id)
    )


def standing_copies(annotation_ids: Iterable[int]) -> Select[Annotation]:
    return select(Annotation).where(
        Annotation.propagated_from_id.in_(list(annotation_ids)), Annotation.action == "label", is_current()
    )


def post_card(post_id: int) -> Select[str, str, dict[str, Any] | None, int | None]:
    return (
        select(Post.external_id, PostText.text, PostFacts.facts, Post.group_id)
        .join(PostText, PostText.post_id == Post.id)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .where(Post.id == post_id)
    )


def cards(person_id: int | ColumnElement[int], post_ids: ColumnElement[int]) -> Select[*tuple[Any, ...]]:
    """post_id, external_id, text, facts, number of near-copies, and this person's draft note."""
    copies = select(func.count()).where(_OTHER.group_id == Post.group_id, _OTHER.id != Post.id)
    note = select(Draft.note).where(Draft.post_id == Post.id, Draft.person_id == person_id)
    return (
        select(
            Post.id.label("post_id"),
            Post.external_id,
            PostText.text,
            PostFacts.facts,
            copies.correlate(Post).scalar_subquery().label("copies"),
            note.correlate(Post).scalar_subquery().label("note"),
        )
        .join(PostText, PostText.post_id == Post.id)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .where(Post.id.in_(post_ids))
    )


def on_desk(
    post_id: int | ColumnElement[int], person_id: int | ColumnElement[int]
) -> Select[*tuple[Any, ...]]:
    """All inputs of an answer to a post, one row per claim; everything but the text may be null.

    Text; slot, lane and shown_at of this person's claim and lapsed claim; their draft note; the queue entry.
    """
    return (
        select(
            PostText.text,
            Claim.slot,
            Claim.lane,
            Claim.shown_at,
            LapsedClaim.lane.label("lapsed_lane"),
            LapsedClaim.shown_at.label("lapsed_shown_at"),
            Draft.note,
            QueueEntry.lane.label("queue_lane"),
            QueueEntry.round_number,
            QueueEntry.normal,
            QueueEntry.suspicious,
            QueueEntry.violation,
            QueueEntry.inclusion_probability,
        )
        .join(Post, Post.id == PostText.post_id)
        .outerjoin(Claim, and_(Claim.post_id == Post.id, Claim.person_id == person_id))
        .outerjoin(LapsedClaim, and_(LapsedClaim.post_id == Post.id, LapsedClaim.person_id == person_id))
        .outerjoin(Draft, and_(Draft.post_id == Post.id, Draft.person_id == person_id))
        .outerjoin(QueueEntry, QueueEntry.post_id == Post.id)
        .where(Post.id == post_id)
    )


def thread_posts(thread_key: int | ColumnElement[int]) -> Select[str, str, dict[str, Any]]:
    """(external_id, text, facts) of the posts of a thread, without unfinished imports.

    Order and limit by `PostFacts.post_id`, the order of the index.
    """
    return (
        select(Post.external_id, PostText.text, PostFacts.facts)
        .join(Post, Post.id == PostFacts.post_id)
        .join(PostText, PostText.post_id == PostFacts.post_id)
        .where(PostFacts.thread_key == thread_key)
    )


def undoable(person_id: int) -> Select[Annotation]:
    return (
        select(Annotation)
        .where(
            Annotation.person_id == person_id,
            Annotation.action != "undo",
            Annotation.origin == "person",
            is_current(),
        )
        .order_by(Annotation.id.desc())
    )
