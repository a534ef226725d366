"""The Posts page: the selection of posts, and their answers."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, select, union

from db.queries.serving import is_open
from db.queries.standing import is_current
from db.tables import Annotation, Person, Post, PostFacts, PostGroup, PostText, QueueEntry, Resolution


def newest_posts(before: int | None) -> Select[int]:
    posts = select(Post.id).order_by(Post.id.desc())
    return posts if before is None else posts.where(Post.id < before)


def judged_posts(
    *,
    label: str | None,
    person_id: int | None,
    lane: str | None,
    round_number: int | None,
    before: int | None,
    most: int,
) -> Select[int]:
    """Ids of `most` posts with one current answer that meets all conditions, newest post first.

    A resolution counts as an answer if only a label is asked for, and a queue entry if only a lane or a round
    is, except a held-out one, which would reveal the split.
    """
    asked = {
        Annotation.label: label,
        Annotation.person_id: person_id,
        Annotation.lane: lane,
        Annotation.suggestion_round: round_number,
    }
    answers = select(Annotation.post_id).where(
        *(column == value for column, value in asked.items() if value is not None),
        Annotation.action != "undo",
        is_current(),
    )
    sources = [answers]
    if person_id is None and lane is None and round_number is None:
        sources.append(select(Resolution.post_id).where(Resolution.label == label))
    if person_id is None and label is None:
        waiting = select(QueueEntry.post_id).where(is_open(), QueueEntry.lane != "held_out")
        if lane is not None:
            waiting = waiting.where(QueueEntry.lane == lane)
        if round_number is not None:
            waiting = waiting.where(QueueEntry.round_number == round_number)
        sources.append(waiting)
    # Each source is limited by its own index: a union of all rows would be sorted first.
    newest = (_newest_of(one, before, most) for one in sources)
    posts = union(*(select(one.c.post_id) for one in newest)).subquery()
    return select(posts.c.post_id).order_by(posts.c.post_id.desc()).limit(most)


def _newest_of(posts: Select[int], before: int | None, most: int) -> Subquery:
    post_id: ColumnElement[int] = posts.selected_columns[0]
    some = posts if before is None else posts.where(post_id < before)
    return some.distinct().order_by(post_id.desc()).limit(most).subquery()


def listed_posts(post_ids: Iterable[int]) -> Select[int, str, str, dict[str, Any] | None, str | None]:
    """(id, external_id, text, facts, split), newest first; the split of an unprepared post is null."""
    return (
        select(Post.id, Post.external_id, PostText.text, PostFacts.facts, PostGroup.split)
        .join(PostText, PostText.post_id == Post.id)
        .outerjoin(PostFacts, PostFacts.post_id == Post.id)
        .outerjoin(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.id.in_(list(post_ids)))
        .order_by(Post.id.desc())
    )


def standing_answers(post_ids: Iterable[int]) -> Select[Annotation, str]:
    return (
        select(Annotation, Person.name)
        .join(Person, Person.id == Annotation.person_id)
        .where(Annotation.post_id.in_(list(post_ids)), Annotation.action != "undo", is_current())
        .order_by(Annotation.id)
    )


def annotations_of(post_id: int) -> Select[Annotation, str]:
    return (
        select(Annotation, Person.name)
        .join(Person, Person.id == Annotation.person_id)
        .where(Annotation.post_id == post_id)
        .order_by(Annotation.id)
    )
