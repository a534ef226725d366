"""The neighbouring posts in a thread, as context for a reply."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, bindparam, select
from sqlalchemy.orm import Session

from db.queries.desk import thread_posts
from db.tables import PostFacts
from workbench.imports.facts import fact_of

NEAREST = 2
"""Posts on each side."""

# Built once: they run twice at every key press.
_POST: ColumnElement[int] = bindparam("post_id")
_PLACE = PostFacts.post_id
_KEY = select(PostFacts.thread_key).where(_PLACE == _POST)
_POSTS = thread_posts(bindparam("thread_key")).limit(NEAREST)
_BEFORE = _POSTS.where(_PLACE < _POST).order_by(_PLACE.desc())
_AFTER = _POSTS.where(_PLACE > _POST).order_by(_PLACE)


@dataclass(frozen=True)
class Neighbour:
    external_id: str
    text: str
    author: str | None
    time: str | None


@dataclass(frozen=True)
class Around:
    before: Sequence[Neighbour] = ()
    after: Sequence[Neighbour] = ()


def around(session: Session, post_id: int) -> Around:
    connection = session.connection()
    key = connection.scalar(_KEY, {"post_id": post_id})
    if key is None:
        return Around()
    asked = {"post_id": post_id, "thread_key": key}
    before = connection.execute(_BEFORE, asked).all()
    after = connection.execute(_AFTER, asked).all()
    return Around(
        tuple(_neighbour(*row) for row in reversed(before)), tuple(_neighbour(*row) for row in after)
    )


def _neighbour(external_id: str, text: str, facts: Mapping[str, Any]) -> Neighbour:
    return Neighbour(external_id, text, fact_of(facts, "author"), fact_of(facts, "time"))
