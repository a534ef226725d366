"""Full-text search of posts, for queries from two characters on.

A post is indexed by the character bigrams of its normalised text, which ignores width, case, blanks, zero-width
characters and look-alikes. Matching bigrams need not be adjacent, so each hit is checked against the text.
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
"""Posts per transaction, which bounds how long annotators wait for the write lock."""
BOARD = "\ue000"
"""A private-use character that begins the term of a board, which is longer than any bigram."""
AFTER_BOARD = "\ue001"


def index_missing(project: Project) -> int:
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
    newest = session.scalar(select(func.max(Post.id)).where(Post.group_id.is_not(None))) or 0
    return last_indexed(session) < newest


def terms_of(text: str, facts: Mapping[str, Any]) -> set[str]:
    board = fact_of(facts, "board")
    return pairs(normalise(text)) | ({board_term(board)} if board else set())


def pairs(normal: str) -> set[str]:
    return {normal[at : at + 2] for at in range(len(normal) - 1)}


def board_term(board: str) -> str:
    name = normalise(board).encode("utf-8", "surrogatepass")
    return BOARD + blake2b(name, digest_size=8).hexdigest()
