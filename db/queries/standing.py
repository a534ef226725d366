"""Which judgements stand, and which of them count.

Queries are nouns, here and in the files beside this one: each returns a `Select` for its caller to run.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, exists, func, or_, select, union
from sqlalchemy.orm import InstrumentedAttribute, aliased

from db.tables import Annotation, Post, PostGroup, Resolution

# Made once: an alias costs a millisecond, and this is asked several times at every key press.
_LATER = aliased(Annotation)
_NEWER = aliased(Resolution)


def is_current() -> ColumnElement[bool]:
    """An annotation nothing has superseded."""
    return ~exists().where(_LATER.supersedes_id == Annotation.id)


def labels_of_post(post_id: int | ColumnElement[int]) -> Select[Annotation]:
    """A post's standing labels, as far as they count for its split."""
    return (
        select(Annotation)
        .join(Post, Post.id == Annotation.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.post_id == post_id, Annotation.action == "label", is_current(), counts_for_its_split()
        )
    )


def current_labels() -> Select[Annotation]:
    """Every person's standing label of every post."""
    return select(Annotation).where(Annotation.action == "label", is_current())


def is_decided() -> ColumnElement[bool]:
    """A lead's decision that stands: none of its post is newer, and it was not taken back."""
    newer = exists().where(_NEWER.post_id == Resolution.post_id, _NEWER.id > Resolution.id)
    return and_(Resolution.label.is_not(None), ~newer.correlate(Resolution))


def is_resolved(post_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """A lead's decision on this post stands: it counts in every split, whatever people said."""
    return exists().where(Resolution.post_id == post_id, is_decided()).correlate_except(Resolution)


def standing_resolutions() -> Select[Resolution]:
    """Every lead's decision that stands, one a post at most."""
    return select(Resolution).where(is_decided())


def counts_for_its_split() -> ColumnElement[bool]:
    """A label with a source (a moderation log: chosen, not drawn) trains, but does not judge.

    Needs `PostGroup` among the tables. A held-out post that has only such labels still waits for a blind one.
    """
    return or_(PostGroup.split.is_(None), PostGroup.split == "pool", Annotation.source.is_(None))


def is_of_pool() -> ColumnElement[bool]:
    """The group is the pool's; needs `PostGroup` among the tables, found by what is joined with it.

    Most groups are. SQLite does not know, and would begin with all of them from the index: hence not the bare column.
    """
    return PostGroup.split.concat("") == "pool"


def is_labelled() -> ColumnElement[bool]:
    """The post has a standing label that counts for its split, or is resolved; needs `Post` and `PostGroup` outside."""
    said = exists().where(
        Annotation.post_id == Post.id, Annotation.action == "label", is_current(), counts_for_its_split()
    )
    return or_(said.correlate(Post, PostGroup), is_resolved(Post.id))


def labelled_groups(*, since_annotation: int = 0, since_resolution: int = 0) -> CompoundSelect[int | None]:
    """Groups of which some post has a standing label that counts for their split, or is resolved, with a higher number."""
    said = (
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
    return union(said, decided)


def labelled_posts() -> CompoundSelect[int]:
    """Posts with anybody's standing label, or resolved."""
    said = select(Annotation.post_id).where(Annotation.action == "label", is_current())
    return union(said, select(Resolution.post_id).where(is_decided()))


def labelled_since(moment: datetime) -> CompoundSelect[int]:
    """Posts that were given a label that stands, or resolved, after a moment."""
    said = current_labels().with_only_columns(Annotation.post_id).where(Annotation.saved_at > moment)
    decided = standing_resolutions().with_only_columns(Resolution.post_id)
    return union(said, decided.where(Resolution.decided_at > moment))


def is_first_thought() -> ColumnElement[bool]:
    """The annotation does not correct an answer: a correction keeps the moment its post was shown first."""
    before = aliased(Annotation)
    return or_(
        Annotation.supersedes_id.is_(None),
        exists().where(before.id == Annotation.supersedes_id, before.action == "undo"),
    )


def labels_of(post_ids: Iterable[int]) -> Select[int, str | None, str | None]:
    """post_id, label, source of the standing labels of these posts."""
    return select(Annotation.post_id, Annotation.label, Annotation.source).where(
        Annotation.post_id.in_(list(post_ids)), Annotation.action == "label", is_current()
    )


def newest_resolutions(post_ids: Iterable[int]) -> Select[int, str | None]:
    """post_id, label of what a lead decided last on these posts; no label where it was taken back."""
    newest = (
        select(func.max(Resolution.id))
        .where(Resolution.post_id.in_(list(post_ids)))
        .group_by(Resolution.post_id)
    )
    return select(Resolution.post_id, Resolution.label).where(Resolution.id.in_(newest))
