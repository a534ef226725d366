"""Posts and groups as read by the worker: from an import to splits, tokens and scores."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, exists, func, select

from db.queries.standing import is_labelled, is_of_pool
from db.tables import Import, NearCopyKey, Post, PostFacts, PostGroup, PostText


def known_posts(external_ids: Sequence[str]) -> Select[str, bytes]:
    return select(Post.external_id, Post.text_hash).where(Post.external_id.in_(_any_of(external_ids)))


def unprepared_posts() -> Select[int, str, dict[str, Any] | None]:
    return (
        select(Post.id, PostText.text, PostFacts.facts)
        .join(PostText, PostText.post_id == Post.id)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .where(Post.group_id.is_(None))
        .order_by(Post.id)
    )


def near_copy_candidates(keys: Iterable[int], most: int) -> Select[int, int, str, int | None, str]:
    """(key, post_id, text, group_id, split) of prepared posts with these LSH keys, at most `most` per key."""
    place = func.row_number().over(partition_by=NearCopyKey.key, order_by=NearCopyKey.post_id)
    ranked = (
        select(NearCopyKey.key, NearCopyKey.post_id, place.label("place"))
        .where(NearCopyKey.key.in_(_any_of(keys)))
        .subquery()
    )
    return (
        select(ranked.c.key, ranked.c.post_id, PostText.text, Post.group_id, PostGroup.split)
        .join(Post, Post.id == ranked.c.post_id)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(ranked.c.place <= most)
        .order_by(ranked.c.post_id)
    )


def unindexed_posts(after: int) -> Select[int, str, dict[str, Any] | None]:
    return (
        select(Post.id, PostText.text, PostFacts.facts)
        .join(PostText, PostText.post_id == Post.id)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .where(Post.group_id.is_not(None), Post.id > after)
        .order_by(Post.id)
    )


def prepared_texts(after: int = 0) -> Select[int, str]:
    return (
        select(Post.id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .where(Post.group_id.is_not(None), Post.id > after)
        .order_by(Post.id)
    )


def texts_to_pick_from(after: int) -> Select[int, str, str, bool]:
    return (
        select(Post.id, PostText.text, PostGroup.split, is_labelled().label("is_labelled"))
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.id > after)
        .order_by(Post.id)
    )


def grouped_posts(after: int) -> Select[int, int | None, int]:
    return (
        select(Post.id, Post.group_id, Post.import_id)
        .where(Post.id > after, Post.group_id.is_not(None), Post.is_quarantined.is_(False))
        .order_by(Post.id)
    )


def groups_of_split(split: str) -> Select[int]:
    return select(PostGroup.id).where(PostGroup.split == split)


def keys_of_split(split: str) -> Select[int, bytes, int | None]:
    return select(PostGroup.id, PostGroup.key, PostGroup.stratum).where(PostGroup.split == split)


def first_posts(groups: Iterable[int]) -> Select[int | None, int]:
    return (
        select(Post.group_id, func.min(Post.id))
        .where(Post.group_id.in_(list(groups)))
        .group_by(Post.group_id)
    )


def strata_sizes() -> Select[str, int | None, int]:
    """(split, stratum, number of groups) of the held-out splits."""
    return (
        select(PostGroup.split, PostGroup.stratum, func.count())
        .where(PostGroup.split != "pool")
        .group_by(PostGroup.split, PostGroup.stratum)
    )


def posts_of_import(import_id: int, after: int) -> Select[int, str, str | None]:
    return (
        select(Post.id, Post.external_id, PostGroup.split)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.import_id == import_id, Post.id > after)
        .order_by(Post.id)
    )


def import_spans() -> Select[int, str, datetime, int, int]:
    """(id, file, time, first post, last post) of prepared imports with posts; an import's ids are contiguous."""
    posts = [
        select(edge(Post.id)).where(Post.import_id == Import.id).scalar_subquery()
        for edge in (func.min, func.max)
    ]
    return (
        select(Import.id, Import.file_name, Import.started_at, *posts)
        .where(Import.state == "prepared", exists().where(Post.import_id == Import.id))
        .order_by(Import.id)
    )


def sampled_posts(post_ids: Iterable[int]) -> Select[int, str]:
    return (
        select(Post.id, PostText.text)
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.id.in_(list(post_ids)), is_of_pool())
    )


def posts_with_facts(post_ids: Iterable[int]) -> Select[int, dict[str, Any] | None, str | None]:
    """(id, facts, split), ascending."""
    return (
        select(Post.id, PostFacts.facts, PostGroup.split)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.id.in_(list(post_ids)))
        .order_by(Post.id)
    )


def _any_of(values: Iterable[str | int]) -> Select[Any]:
    """As a subquery: thousands of parameters take longer to bind than their rows to read."""
    return select(func.json_each(json.dumps(list(values))).table_valued("value").c.value)
