"""Judgements of several people of the same posts."""

from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, exists, select
from sqlalchemy.orm import aliased

from db.tables import Annotation


def blind_votes() -> Select[int, int, str | None, datetime]:
    """(post_id, person_id, label, saved_at) of the posts that were served twice, ordered by post.

    One vote a person: the last label given before the model's view of the post was in sight, if the person has
    not withdrawn the answer since. No imported or propagated labels. A post may have a single vote.
    """
    later, standing = aliased(Annotation), aliased(Annotation)
    is_last = ~exists().where(
        later.post_id == Annotation.post_id,
        later.person_id == Annotation.person_id,
        later.id > Annotation.id,
        _is_blind(later),
    )
    superseding = aliased(Annotation)
    stands = exists().where(
        standing.post_id == Annotation.post_id,
        standing.person_id == Annotation.person_id,
        standing.action == "label",
        ~exists().where(superseding.supersedes_id == standing.id),
    )
    return (
        select(Annotation.post_id, Annotation.person_id, Annotation.label, Annotation.saved_at)
        .where(
            Annotation.post_id.in_(select(Annotation.post_id).where(Annotation.slot == 1)),
            _is_blind(Annotation),
            is_last,
            stands,
        )
        .order_by(Annotation.post_id, Annotation.id)
    )


def _is_blind(annotation: type[Annotation]) -> ColumnElement[bool]:
    return and_(
        annotation.action == "label",
        annotation.origin == "person",
        annotation.was_suggestion_visible.is_(False),
    )
