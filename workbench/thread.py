"""The posts around one in its thread, so that a reply is read where it was written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries import thread_posts
from db.tables import PostFacts
from workbench.facts import fact_of

NEAREST = 2
"""Posts on each side."""


@dataclass(frozen=True)
class Neighbour:
    """A post beside the one to judge. It carries nothing of what people or the model think of it."""

    external_id: str
    text: str
    author: str | None
    time: str | None


@dataclass(frozen=True)
class Around:
    """Both sides in the order in which the forum's file held them."""

    before: Sequence[Neighbour] = ()
    after: Sequence[Neighbour] = ()


def around(session: Session, post_id: int) -> Around:
    """The nearest posts of the same thread; none for a post whose thread is not known."""
    key = session.scalar(select(PostFacts.thread_key).where(PostFacts.post_id == post_id))
    if key is None:
        return Around()
    place, posts = PostFacts.post_id, thread_posts(key).limit(NEAREST)
    before = session.execute(posts.where(place < post_id).order_by(place.desc())).all()
    after = session.execute(posts.where(place > post_id).order_by(place)).all()
    return Around(
        tuple(_neighbour(*row) for row in reversed(before)), tuple(_neighbour(*row) for row in after)
    )


def _neighbour(external_id: str, text: str, facts: Mapping[str, Any]) -> Neighbour:
    return Neighbour(external_id, text, fact_of(facts, "author"), fact_of(facts, "time"))
