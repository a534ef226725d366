"""Give every new post its group and split, once and for ever, and let it be found.

A post joins the group of a post it is a near-copy of, else it founds one. When its near-copies stand
on two sides of a split it is set aside: trained on or tested on, it would leak either way.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from db.queries import near_copy_candidates, unprepared_posts
from db.tables import Import, NearCopyKey, Post, PostGroup
from trainer.duplicates import NEAR, band_keys, group_key, shingles, similarity, split_of
from workbench import search
from workbench.project import Project

CHUNK = 500
MOST_CANDIDATES = 200
"""Candidates compared per post; a text copied more often than that matches within the first ones."""


@dataclass(frozen=True)
class _Known:
    """A post that has its group already."""

    group_id: int
    split: str
    shingles: frozenset[str]


def prepare(project: Project, *, on_progress: Callable[[int], None] = lambda _done: None) -> int:
    """Group all unprepared posts of finished imports and index them; killed half-way, it goes on where it was.

    Returns how many posts were prepared.
    """
    done = 0
    while count := _prepare_chunk(project):
        done += count
        on_progress(done)
    with project.database.write() as session:
        session.execute(update(Import).where(Import.state == "stored").values(state="prepared"))
    search.index_missing(project)
    return done


def _prepare_chunk(project: Project) -> int:
    # Hashing, looking up and comparing are the slow part: they need no write lock, for only the worker
    # prepares, and one chunk after the other.
    with project.database.read() as session:
        posts = session.execute(unprepared_posts().limit(CHUNK)).all()
        if not posts:
            return 0
        index = _Index(session, [post.text for post in posts])
        for row, post in enumerate(posts):
            index.place(row, post.id)
    with project.database.write() as session:
        index.save(session)
    return len(posts)


class _Index:
    """The near-copy index as one chunk sees it: what is stored, and what the chunk adds."""

    def __init__(self, session: Session, texts: Sequence[str]) -> None:
        self._keys = [[int(key) for key in row] for row in band_keys(texts)]
        self._shingles = [shingles(text) for text in texts]
        self._exact = [group_key(text) for text in texts]
        self._candidates: dict[int, list[int]] = defaultdict(list)
        self._known: dict[int, _Known] = {}
        wanted = {key for row in self._keys for key in row}
        for found in session.execute(near_copy_candidates(wanted, MOST_CANDIDATES)):
            self._candidates[found.key].append(found.post_id)
            if found.post_id not in self._known:
                self._known[found.post_id] = _Known(found.group_id, found.split, shingles(found.text))
        founders = select(PostGroup.key, PostGroup.id, PostGroup.split).where(PostGroup.key.in_(self._exact))
        self._founded = {row.key: _Known(row.id, row.split, frozenset()) for row in session.execute(founders)}
        self._next_group = (session.scalar(select(func.max(PostGroup.id))) or 0) + 1
        self._new_groups: list[dict[str, object]] = []
        self._new_keys: list[dict[str, int]] = []
        self._placed: list[dict[str, object]] = []

    def place(self, row: int, post_id: int) -> None:
        """Find the post's group, or found one."""
        exact = self._exact[row]
        copy_of = self._founded.get(exact)
        matches = ([copy_of] if copy_of else []) + self._near(row)
        if not matches:
            matches = [self._found_group(exact)]
        group = matches[0]
        is_bridge = len({match.split for match in matches}) > 1
        self._placed.append({"post_id": post_id, "group": group.group_id, "quarantined": is_bridge})
        if copy_of is None:
            self._founded[exact] = group
            if not is_bridge:
                self._add(row, post_id, group)

    def save(self, session: Session) -> None:
        """Write what the chunk found."""
        if self._new_groups:
            session.execute(insert(PostGroup), self._new_groups)
        session.connection().execute(
            update(Post)
            .where(Post.id == bindparam("post_id"))
            .values(group_id=bindparam("group"), is_quarantined=bindparam("quarantined")),
            self._placed,
        )
        if self._new_keys:
            # As a table: the unit of work would look at each of the many rows.
            session.connection().execute(insert(NearCopyKey), self._new_keys)

    def _near(self, row: int) -> list[_Known]:
        candidates = {other for key in self._keys[row] for other in self._candidates[key][:MOST_CANDIDATES]}
        known = (self._known[other] for other in sorted(candidates))
        return [other for other in known if similarity(self._shingles[row], other.shingles) >= NEAR]

    def _found_group(self, key: bytes) -> _Known:
        group = _Known(self._next_group, split_of(key), frozenset())
        self._next_group += 1
        self._new_groups.append({"id": group.group_id, "key": key, "split": group.split})
        return group

    def _add(self, row: int, post_id: int, group: _Known) -> None:
        self._known[post_id] = _Known(group.group_id, group.split, self._shingles[row])
        for key in set(self._keys[row]):
            self._candidates[key].append(post_id)
            self._new_keys.append({"key": key, "post_id": post_id})
