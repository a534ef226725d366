"""Which judgements are current, and which of them count.

Queries are nouns, here and in the modules beside this one: each returns a `Select` that its caller runs.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, exists, func, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.tables import Annotation, Post, PostGroup, Resolution

# Module-level: an alias costs a millisecond, and these queries run several times per key press.
_LATER = aliased(Annotation)
_NEWER = aliased(Resolution)


def is_current() -> ColumnElement[bool]:
    return ~exists().where(_LATER.supersedes_id == Annotation.id)


def labels_of_post(post_id: int | ColumnElement[int]) -> Select[Annotation]:
    return (
        select(Annotation)
        .join(Post, Post.id == Annotation.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.post_id == post_id, Annotation.action == "label", is_current(), counts_for_its_split()
        )
    )


def current_labels() -> Select[Annotation]:
    return select(Annotation).where(Annotation.action == "label", is_current())


def is_decided() -> ColumnElement[bool]:
    newer = exists().where(_NEWER.post_id == Resolution.post_id, _NEWER.id > Resolution.id)
    return and_(Resolution.label.is_not(None), ~newer.correlate(Resolution))


def is_resolved(post_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    return exists().where(Resolution.post_id == post_id, is_decided()).correlate_except(Resolution)


def standing_resolutions() -> Select[Resolution]:
    return select(Resolution).where(is_decided())


def counts_for_its_split() -> ColumnElement[bool]:
    """A label with a source (a moderation log: selected, not drawn at random) counts for training but not for
    evaluation.

    Needs `PostGroup` in the query. A held-out post with only such labels still needs a blind one.
    """
    return or_(PostGroup.split.is_(None), PostGroup.split == "pool", Annotation.source.is_(None))


def is_of_pool() -> ColumnElement[bool]:
    """The group is in the pool. Needs `PostGroup` in the query, joined from a smaller table.

    Most groups are in the pool. SQLite does not know that and would start from the index of splits, hence not
    the bare column.
    """
    return PostGroup.split.concat("") == "pool"


def is_of_training() -> ColumnElement[bool]:
    """Not held out, or not prepared yet. Needs `Post` and, joined from outside, `PostGroup` in the query."""
    return and_(Post.is_quarantined.is_(False), func.coalesce(PostGroup.split, "pool") == "pool")


def is_labelled() -> ColumnElement[bool]:
    """The post is resolved or has a current label that counts for its split. Needs `Post` and `PostGroup` outside."""
    labelled = exists().where(
        Annotation.post_id == Post.id, Annotation.action == "label", is_current(), counts_for_its_split()
    )
    return or_(labelled.correlate(Post, PostGroup), is_resolved(Post.id))


def labelled_groups(*, since_annotation: int = 0, since_resolution: int = 0) -> CompoundSelect[int | None]:
    """Groups with a resolution, or a current label that counts for their split, above these ids."""
    labelled = (
        select(Post.group_id)
        .join(Annotation, Annotation.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.id > since_annotation,
            Annotation.action == "label",
            is_current(),
            counts_for_its_split(),
        )
    )
    decided = (
        select(Post.group_id)
        .join(Resolution, Resolution.post_id == Post.id)
        .where(Resolution.id > since_resolution, is_decided())
    )
    return union(labelled, decided)


def labelled_posts() -> CompoundSelect[int]:
    """Posts with a current label of a person or an import, or a resolution: what "labelled" means wherever it is counted."""
    labelled = select(Annotation.post_id).where(Annotation.action == "label", is_current())
    return union(labelled, select(Resolution.post_id).where(is_decided()))


def labelled_since(moment: datetime) -> CompoundSelect[int]:
    labelled = current_labels().with_only_columns(Annotation.post_id).where(Annotation.saved_at > moment)
    decided = standing_resolutions().with_only_columns(Resolution.post_id)
    return union(labelled, decided.where(Resolution.decided_at > moment))


def is_first_thought() -> ColumnElement[bool]:
    """Not a correction. (A correction keeps the time its post was first shown.)"""
    before = aliased(Annotation)
    return or_(
        Annotation.supersedes_id.is_(None),
        exists().where(before.id == Annotation.supersedes_id, before.action == "undo"),
    )


def labels_of(post_ids: Iterable[int]) -> Select[int, str | None, str | None]:
    return select(Annotation.post_id, Annotation.label, Annotation.source).where(
        Annotation.post_id.in_(list(post_ids)), Annotation.action == "label", is_current()
    )


def newest_resolutions(post_ids: Iterable[int]) -> Select[int, str | None]:
    newest = (
        select(func.max(Resolution.id))
        .where(Resolution.post_id.in_(list(post_ids)))
        .group_by(Resolution.post_id)
    )
    return select(Resolution.post_id, Resolution.label).where(Resolution.id.in_(newest))
