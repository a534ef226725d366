"""Find posts by what they say, two Chinese characters included.

A post is indexed by the pairs of neighbouring characters of its normalised text: full or half width, capital or
small, with or without blanks, zero-width characters and look-alikes between, it is the same. Pairs that all occur
need not stand side by side, so what the index finds is compared with the text itself (`contains`).
"""

import time
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.preparing import unindexed_posts
from db.search import add, last_indexed
from db.session import leave_room
from db.tables import Post
from trainer.texts.normalisation import normalise
from workbench.imports.facts import fact_of
from workbench.project import Project

BATCH = 1_000
"""Posts a transaction: people who label wait for the write lock no longer than that takes."""
LONGEST_QUERY = 200
BOARD = "\ue000"
"""A private character that begins the term of a board; no pair of a text is that long."""
AFTER_BOARD = "\ue001"


def index_missing(project: Project) -> int:
    """Enter the prepared posts that come after the last one entered; killed half-way, it goes on there.

    Returns how many.
    """
    done = 0
    while True:
        with project.database.read() as session:
            posts = session.execute(unindexed_posts(last_indexed(session)).limit(BATCH)).all()
        if not posts:
            return done
        entries = [(post.id, " ".join(terms_of(post.text, post.facts or {}))) for post in posts]
        began = time.monotonic()
        with project.database.write() as session:
            add(session, entries)
        leave_room(began)
        done += len(posts)


def is_behind(session: Session) -> bool:
    """Whether prepared posts wait to be indexed."""
    newest = session.scalar(select(func.max(Post.id)).where(Post.group_id.is_not(None))) or 0
    return last_indexed(session) < newest


def terms_of(text: str, facts: Mapping[str, Any]) -> set[str]:
    """What a post is found by."""
    board = fact_of(facts, "board")
    return pairs(normalise(text)) | ({board_term(board)} if board else set())


def pairs(normal: str) -> set[str]:
    """The pairs of neighbouring characters of a normalised text; none of a single one."""
    return {normal[at : at + 2] for at in range(len(normal) - 1)}


def board_term(board: str) -> str:
    """Stands for a board, however it is spelled in width and case."""
    name = normalise(board).encode("utf-8", "surrogatepass")
    return BOARD + blake2b(name, digest_size=8).hexdigest()


def wanted(query: str) -> str:
    """A query as texts are compared with it; empty where it holds nothing that can be seen."""
    return normalise(query[:LONGEST_QUERY])


def contains(text: str, normal: str) -> bool:
    """Whether a text says what is wanted, letter by letter."""
    return normal in normalise(text)
