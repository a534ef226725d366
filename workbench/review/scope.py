"""Which posts a ruling touches: those whose label is of an older version of the guidelines and another than the ruling's."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, and_, false, func, or_, select, true
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.queries.rulings import given_both, is_outdated, labelled_otherwise
from db.search import last_indexed, matching
from db.tables import Annotation, Post, PostGroup, PostText, Resolution
from trainer.chunks import in_chunks
from workbench.imports import search_index
from workbench.posts.query import contains, words_of

AT_MOST = 5_000
"""Posts that one look finds; the next look finds the others."""


@dataclass(frozen=True)
class Scope:
    """Posts with all `words` on which people have given both `labels`. Without both it finds nothing.

    `posts` are chosen by the lead, and touched regardless of the other conditions.
    """

    words: str = ""
    labels: tuple[str, str] | None = None
    posts: frozenset[int] = frozenset()

    @property
    def is_search(self) -> bool:
        return bool(words_of(self.words)) or self.labels is not None

    def to_dict(self) -> dict[str, Any]:
        return {"words": self.words, "labels": None if self.labels is None else list(self.labels)}

    @classmethod
    def from_dict(cls, values: dict[str, Any], posts: Iterable[int]) -> "Scope":
        labels = values["labels"]
        return cls(values["words"], None if labels is None else (labels[0], labels[1]), frozenset(posts))


@dataclass(frozen=True)
class Target:
    """`version` is the first version of the guidelines with the ruling; `made` its number and time, None before."""

    label: str
    version: int
    made: tuple[int, datetime] | None = None


@dataclass(frozen=True)
class Mark:
    """The newest answer and decision that a look has seen."""

    annotation: int = 0
    resolution: int = 0


def mark(session: Session) -> Mark:
    newest = (session.scalar(select(func.max(table.id))) or 0 for table in (Annotation, Resolution))
    return Mark(*newest)


def touched(
    session: Session, scope: Scope, target: Target, *, but: Collection[int] = (), since: Mark | None = None
) -> list[int]:
    """Newest post first, AT_MOST + 1 at most.

    Args:
        but: posts left out.
        since: only posts with an answer or decision after it.
    """
    since = since or Mark()
    labelled = labelled_otherwise(
        target.label, since_annotation=since.annotation, since_resolution=since.resolution
    )
    posts: list[int] = []
    candidates = (post for post in _candidates(session, scope, labelled) if post not in but)
    for chunk in in_chunks(candidates, IDS_AT_ONCE):
        posts += _fitting(session, scope, target, chunk)
        if len(posts) > AT_MOST:
            break
    return posts[: AT_MOST + 1]


def _candidates(session: Session, scope: Scope, labelled: CompoundSelect[int]) -> Iterator[int]:
    """Posts that may fit, as the indexes of words and labels know them."""
    rows = labelled.subquery()
    post: ColumnElement[int] = rows.c[0]
    conditions: list[ColumnElement[bool]] = [] if scope.is_search else [false()]
    if terms := sorted({pair for word in words_of(scope.words) for pair in search_index.pairs(word)}):
        conditions.append(or_(post.in_(matching(terms).order_by(None)), post > last_indexed(session)))
    for label in scope.labels or ():
        conditions.append(post.in_(select(Annotation.post_id).where(Annotation.label == label)))
    posts = select(post).where(or_(and_(true(), *conditions), post.in_(scope.posts))).order_by(post.desc())
    return iter(session.scalars(posts).all())


def _fitting(session: Session, scope: Scope, target: Target, posts: Sequence[int]) -> list[int]:
    words = words_of(scope.words)
    is_said = given_both(scope.labels) if scope.labels is not None else Post.id.is_not(None)
    rows = session.execute(
        select(Post.id, PostText.text, is_said.label("is_said"))
        .join(PostText, PostText.post_id == Post.id)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(Post.id.in_(posts), is_outdated(target.label, target.version, target.made))
        .order_by(Post.id.desc())
    )
    return [
        row.id
        for row in rows
        if row.id in scope.posts or (scope.is_search and row.is_said and contains(row.text, words))
    ]
