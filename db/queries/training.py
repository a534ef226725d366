"""Labels for training rounds."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Select, case, func, literal, select, union_all

from db.queries.standing import (
    counts_for_its_split,
    current_labels,
    is_current,
    is_decided,
    is_labelled,
    is_of_pool,
    is_resolved,
    labelled_posts,
    standing_resolutions,
)
from db.tables import Annotation, Post, PostGroup, PostText, Resolution

_POST = (
    Post.id.label("post_id"),
    Post.external_id,
    PostText.text,
    Post.group_id,
    PostGroup.key.label("group_key"),
    PostGroup.split,
    PostGroup.stratum,
)


def newest_pool_labels(most: int) -> Select[str, str]:
    labelled = (
        select(Annotation.post_id, Annotation.label, Annotation.saved_at.label("at"))
        .join(Post, Post.id == Annotation.post_id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.action == "label",
            is_current(),
            is_of_pool(),
            ~is_resolved(Annotation.post_id),
        )
        .order_by(Annotation.id.desc())
        .limit(most)
        .subquery()
    )
    decided = (
        select(Resolution.post_id, Resolution.label, Resolution.decided_at.label("at"))
        .join(Post, Post.id == Resolution.post_id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(is_decided(), is_of_pool())
        .order_by(Resolution.id.desc())
        .limit(most)
        .subquery()
    )
    both = union_all(select(labelled), select(decided)).subquery()
    return (
        select(both.c.label, PostText.text)
        .join(PostText, PostText.post_id == both.c.post_id)
        .order_by(both.c.at.desc())
        .limit(most)
    )


def labels_by_split(by_severity: Sequence[str]) -> Select[str, str | None, int]:
    """(split, label, number of posts), each post counted once and only if its labels count for its split.

    By resolution, else by majority; people outrank a log, and a tie goes to the more severe label (the later
    in `by_severity`), as in exports. The split of a new post is `unprepared`.
    """
    split = func.coalesce(PostGroup.split, literal("unprepared"))
    severity = case({name: position for position, name in enumerate(by_severity)}, value=Annotation.label)
    votes = (
        select(
            Annotation.post_id,
            Annotation.label,
            func.row_number()
            .over(
                partition_by=Annotation.post_id,
                order_by=(Annotation.source.is_(None).desc(), func.count().desc(), severity.desc()),
            )
            .label("place"),
        )
        .join(Post, Post.id == Annotation.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(
            Annotation.action == "label",
            is_current(),
            counts_for_its_split(),
            ~is_resolved(Annotation.post_id),
        )
        .group_by(Annotation.post_id, Annotation.source.is_(None), Annotation.label)
        .subquery()
    )
    by_majority = select(votes.c.post_id, votes.c.label).where(votes.c.place == 1)
    labels = union_all(
        by_majority, select(Resolution.post_id, Resolution.label).where(is_decided())
    ).subquery()
    return (
        select(split, labels.c.label, func.count())
        .join(Post, Post.id == labels.c.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.is_quarantined.is_(False))
        .group_by(split, labels.c.label)
    )


def labels_by_use() -> Select[str | None, bool, bool, int]:
    """(split, is set aside, counts for its split, number of posts) of all labelled posts.

    The split of a new post is None.
    """
    labelled = labelled_posts().subquery()
    counts = is_labelled().label("counts")
    return (
        select(PostGroup.split, Post.is_quarantined, counts, func.count())
        .select_from(labelled)
        .join(Post, Post.id == labelled.c.post_id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .group_by(PostGroup.split, Post.is_quarantined, counts)
    )


def training_rows() -> Select[*tuple[Any, ...]]:
    return (
        select(
            *_POST,
            Annotation.label,
            Annotation.person_id,
            Annotation.lane,
            Annotation.source,
            Annotation.saved_at,
        )
        .join(Post, Post.id == Annotation.post_id)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(Annotation.action == "label", is_current(), Post.is_quarantined.is_(False))
        .order_by(Post.id, Annotation.id)
    )


def compared_posts(post_ids: Iterable[int]) -> Select[int, str, str, str | None]:
    """(id, external_id, text, label) of the pool posts among these, one row per current label, or one without
    a label.

    A resolution takes the place of the labels.
    """
    standing, decided = current_labels().subquery(), standing_resolutions().subquery()
    label = func.coalesce(decided.c.label, standing.c.label).label("label")
    return (
        select(Post.id, Post.external_id, PostText.text, label)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .outerjoin(standing, standing.c.post_id == Post.id)
        .outerjoin(decided, decided.c.post_id == Post.id)
        .where(Post.id.in_(list(post_ids)), is_of_pool())
        .order_by(standing.c.id)
    )


def resolved_rows() -> Select[*tuple[Any, ...]]:
    """Resolutions in force with post, group and split; they take precedence over `training_rows`.

    The lane is the one in which the post was last served.
    """
    served = (
        select(Annotation.lane)
        .where(Annotation.post_id == Post.id, Annotation.lane.is_not(None))
        .order_by(Annotation.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            *_POST,
            served.label("lane"),
            Resolution.label,
            Resolution.person_id,
            Resolution.decided_at,
        )
        .join(Post, Post.id == Resolution.post_id)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(is_decided(), Post.is_quarantined.is_(False))
        .order_by(Post.id)
    )
