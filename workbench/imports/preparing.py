"""Assign each new post its permanent group and split and its board, and index it for the search.

A post joins the group of a near-copy, else it starts a group. If its near-copies belong to different splits, it is set
aside: it would leak, in training as in testing.
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
from db.tables import Board, Import, NearCopyKey, Post, PostGroup
from trainer.chunks import in_chunks
from trainer.texts.duplicates import NEAR, Fingerprint, fingerprints, shingles, similarity, split_of
from workbench.errors import WorkbenchError
from workbench.imports import search_index
from workbench.imports.boards import Boards
from workbench.imports.storing import store_waiting
from workbench.project import Project

CHUNK = 1_000
"""Posts hashed, looked up and compared at once."""
STEP = 100
"""Posts written per transaction while an annotator has a post open, who waits for the write lock."""
MOST_CANDIDATES = 200
"""Candidates compared per post; a text with more copies matches one of the first."""


@dataclass(frozen=True)
class _GroupedPost:
    group_id: int
    split: str
    shingles: frozenset[str]


@dataclass
class _Placement:
    """The group and the board of a new post, and the rows to write. `is_bridge`: near-copies in several splits."""

    post_id: int
    group_id: int
    is_bridge: bool
    new_group: tuple[int, bytes, str] | None = None
    board_id: int | None = None
    new_board: tuple[int, str] | None = None
    keys: list[tuple[int, int]] = field(default_factory=list)


def prepare(project: Project) -> int:
    """Store the waiting posts, group all unprepared ones and index them; resumable. Returns the number prepared.

    Raises WorkbenchError for an import that lacks rows, after preparing all other imports.
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
        # An import whose posts were stored after the last chunk has a job of its own.
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
    # Hashing, lookup and comparison are the slow part and need no write lock: only the worker prepares, one
    # chunk at a time.
    with Session(connection) as session:
        posts = session.execute(unprepared_posts().limit(CHUNK)).all()
        if not posts:
            return 0
        index = _Index(session, [post.text for post in posts])
        placed = [index.place(row, post.id) for row, post in enumerate(posts)]
        boards = Boards(session)
        for placement, post in zip(placed, posts, strict=True):
            placement.board_id, placement.new_board = boards.place(post.facts or {})
        is_shared = session.scalar(select(live_claims(project.now()).exists()))
    # Each key is on a different page, so larger steps write fewer pages.
    step = STEP if is_shared else CHUNK
    for chunk in in_chunks(placed, step):
        # A post depends only on earlier ones, so a kill between two steps loses nothing.
        take_write_lock(connection)
        began = time.monotonic()
        _save(connection, chunk)
        connection.commit()
        ended = time.monotonic()
        checkpoint(connection)
        leave_room(began, ended)
    return len(posts)


def _save(connection: Connection, placed: Sequence[_Placement]) -> None:
    new_groups = [post.new_group for post in placed if post.new_group]
    insert_tuples(connection, PostGroup, ("id", "key", "split"), new_groups)
    insert_tuples(connection, Board, ("id", "name"), [post.new_board for post in placed if post.new_board])
    connection.execute(
        update(Post)
        .where(Post.id == bindparam("post_id"))
        .values(
            group_id=bindparam("group"), is_quarantined=bindparam("quarantined"), board_id=bindparam("board")
        ),
        [
            {
                "post_id": post.post_id,
                "group": post.group_id,
                "quarantined": post.is_bridge,
                "board": post.board_id,
            }
            for post in placed
        ],
    )
    keys = sorted(key for post in placed for key in post.keys)
    insert_tuples(connection, NearCopyKey, ("key", "post_id"), keys)


class _Index:
    """The near-copy index for one chunk: the stored posts, and those that the chunk adds."""

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
        groups = select(PostGroup.key, PostGroup.id, PostGroup.split).where(
            PostGroup.key.in_({one.group_key for one in self._prints})
        )
        self._by_key = {
            row.key: _GroupedPost(row.id, row.split, frozenset()) for row in session.execute(groups)
        }
        self._next_group = (session.scalar(select(func.max(PostGroup.id))) or 0) + 1

    def place(self, row: int, post_id: int) -> _Placement:
        own = self._prints[row]
        exact_copy = self._by_key.get(own.group_key)
        matches = ([exact_copy] if exact_copy else []) + self._near(own)
        new_group = None
        if not matches:
            new_group = (self._next_group, own.group_key, split_of(own.group_key))
            self._next_group += 1
            matches = [_GroupedPost(new_group[0], new_group[2], frozenset())]
        group = matches[0]
        is_bridge = len({match.split for match in matches}) > 1
        placed = _Placement(post_id, group.group_id, is_bridge, new_group)
        if exact_copy is None:
            self._by_key[own.group_key] = group
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
