"""Give every new post its group and split, once and for ever, and let it be found.

A post joins the group of a post it is a near-copy of, else it founds one. When its near-copies stand
on two sides of a split it is set aside: trained on or tested on, it would leak either way.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, func, select, update
from sqlalchemy.orm import Session

from db.bulk import insert_tuples
from db.queries.preparing import near_copy_candidates, unprepared_posts
from db.queries.serving import live_claims
from db.session import checkpoint, leave_room, take_write_lock
from db.tables import Import, NearCopyKey, Post, PostGroup
from trainer.chunks import in_chunks
from trainer.texts.duplicates import NEAR, Fingerprint, fingerprints, shingles, similarity, split_of
from workbench.errors import WorkbenchError
from workbench.imports import search_index
from workbench.imports.storing import store_waiting
from workbench.project import Project

CHUNK = 1_000
"""Posts hashed, looked up and compared at once."""
STEP = 100
"""Posts written in one transaction while somebody has a post open: they wait for the write lock meanwhile."""
MOST_CANDIDATES = 200
"""Candidates compared per post; a text copied more often than that matches within the first ones."""


@dataclass(frozen=True)
class _GroupedPost:
    """A post that has its group already."""

    group_id: int
    split: str
    shingles: frozenset[str]


@dataclass
class _Placement:
    """What is to be written of a post."""

    post_id: int
    group_id: int
    is_bridge: bool
    founded: tuple[int, bytes, str] | None = None
    keys: list[tuple[int, int]] = field(default_factory=list)


def prepare(project: Project) -> int:
    """Store what imports have left, group all unprepared posts and index them; killed half-way, it goes on where it was.

    Returns how many posts were prepared. Raises WorkbenchError, once all others are prepared, for an import that lacks rows.
    """
    problem, done = None, 0
    try:
        store_waiting(project)
    except WorkbenchError as error:
        problem = error
    with project.database.bulk() as connection:
        while count := _prepare_chunk(project, connection):
            done += count
    with project.database.write() as session:
        # One that came after the last look, at its posts, has its own turn.
        is_waiting = unprepared_posts().where(Post.import_id == Import.id).correlate(Import).exists()
        session.execute(
            update(Import)
            .where(Import.state == "stored", Import.waiting == 0, ~is_waiting)
            .values(state="prepared", failure=None)
        )
    search_index.index_missing(project)
    if problem is not None:
        raise problem
    return done


def _prepare_chunk(project: Project, connection: Connection) -> int:
    # Hashing, looking up and comparing are the slow part: they need no write lock, for only the worker
    # prepares, and one chunk after the other.
    with Session(connection) as session:
        posts = session.execute(unprepared_posts().limit(CHUNK)).all()
        if not posts:
            return 0
        index = _Index(session, [post.text for post in posts])
        placed = [index.place(row, post.id) for row, post in enumerate(posts)]
        is_shared = session.scalar(select(live_claims(project.now()).exists()))
    # Every key lies on a page of its own, so that the fewer the steps, the less is written.
    step = STEP if is_shared else CHUNK
    for some in in_chunks(placed, step):
        # A post depends on earlier ones alone, so whoever is killed between two steps has lost nothing.
        take_write_lock(connection)
        began = time.monotonic()
        _save(connection, some)
        connection.commit()
        ended = time.monotonic()
        checkpoint(connection)
        leave_room(began, ended)
    return len(posts)


def _save(connection: Connection, placed: Sequence[_Placement]) -> None:
    founded = [post.founded for post in placed if post.founded]
    insert_tuples(connection, PostGroup, ("id", "key", "split"), founded)
    connection.execute(
        update(Post)
        .where(Post.id == bindparam("post_id"))
        .values(group_id=bindparam("group"), is_quarantined=bindparam("quarantined")),
        [{"post_id": post.post_id, "group": post.group_id, "quarantined": post.is_bridge} for post in placed],
    )
    keys = sorted(key for post in placed for key in post.keys)
    insert_tuples(connection, NearCopyKey, ("key", "post_id"), keys)


class _Index:
    """The near-copy index as one chunk sees it: what is stored, and what the chunk adds."""

    def __init__(self, session: Session, texts: Sequence[str]) -> None:
        self._prints = fingerprints(texts)
        self._candidates: dict[int, list[int]] = defaultdict(list)
        self._grouped: dict[int, _GroupedPost] = {}
        wanted = {key for one in self._prints for key in one.band_keys}
        for candidate in session.execute(near_copy_candidates(wanted, MOST_CANDIDATES)):
            self._candidates[candidate.key].append(candidate.post_id)
            if candidate.post_id not in self._grouped:
                self._grouped[candidate.post_id] = _GroupedPost(
                    candidate.group_id, candidate.split, shingles(candidate.text)
                )
        founders = select(PostGroup.key, PostGroup.id, PostGroup.split).where(
            PostGroup.key.in_({one.group_key for one in self._prints})
        )
        self._founded = {
            row.key: _GroupedPost(row.id, row.split, frozenset()) for row in session.execute(founders)
        }
        self._next_group = (session.scalar(select(func.max(PostGroup.id))) or 0) + 1

    def place(self, row: int, post_id: int) -> _Placement:
        """Find the post's group, or found one."""
        own = self._prints[row]
        copy_of = self._founded.get(own.group_key)
        matches = ([copy_of] if copy_of else []) + self._near(own)
        founded = None
        if not matches:
            founded = (self._next_group, own.group_key, split_of(own.group_key))
            self._next_group += 1
            matches = [_GroupedPost(founded[0], founded[2], frozenset())]
        group = matches[0]
        is_bridge = len({match.split for match in matches}) > 1
        placed = _Placement(post_id, group.group_id, is_bridge, founded)
        if copy_of is None:
            self._founded[own.group_key] = group
            if not is_bridge:
                self._grouped[post_id] = _GroupedPost(group.group_id, group.split, own.shingles)
                for key in set(own.band_keys):
                    self._candidates[key].append(post_id)
                    placed.keys.append((key, post_id))
        return placed

    def _near(self, own: Fingerprint) -> list[_GroupedPost]:
        of_key = (self._candidates.get(key, ()) for key in own.band_keys)
        candidates = {other for posts in of_key for other in posts[:MOST_CANDIDATES]}
        grouped = (self._grouped[other] for other in sorted(candidates))
        return [other for other in grouped if similarity(own.shingles, other.shingles) >= NEAR]
