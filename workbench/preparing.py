"""Give every new post its group and split, once and for ever.

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
from workbench.project import Project

CHUNK = 500
MOST_CANDIDATES = 200
"""Candidates compared per post; a text copied more often than that matches within the first ones."""


@dataclass(frozen=True)
class _Known:
    group_id: int
    split: str


def prepare(project: Project, *, on_progress: Callable[[int], None] = lambda _done: None) -> int:
    """Group all unprepared posts of finished imports; killed half-way, it goes on where it was.

    Returns how many posts were prepared.
    """
    done = 0
    while count := _prepare_chunk(project):
        done += count
        on_progress(done)
    with project.database.write() as session:
        session.execute(update(Import).where(Import.state == "stored").values(state="prepared"))
    return done


def _prepare_chunk(project: Project) -> int:
    with project.database.read() as session:
        posts = session.execute(unprepared_posts().limit(CHUNK)).all()
    if not posts:
        return 0
    # Hashing is the slow part, so it happens before the write lock is taken.
    keys = band_keys([post.text for post in posts])
    with project.database.write() as session:
        index = _Index(session, [[int(key) for key in row] for row in keys])
        for row, post in enumerate(posts):
            index.place(row, post.id, post.text)
        index.save()
    return len(posts)


class _Index:
    """The near-copy index as one chunk sees it: what is stored, and what the chunk adds."""

    def __init__(self, session: Session, keys: Sequence[Sequence[int]]) -> None:
        self._session = session
        self._keys = keys
        wanted = {key for row in keys for key in row}
        self._candidates: dict[int, list[int]] = defaultdict(list)
        self._texts: dict[int, frozenset[str]] = {}
        self._groups: dict[int, _Known] = {}
        self._by_key: dict[bytes, _Known] = {}
        for found in session.execute(near_copy_candidates(wanted)):
            self._candidates[found.key].append(found.post_id)
            self._texts.setdefault(found.post_id, shingles(found.text))
            self._groups[found.post_id] = _Known(found.group_id, found.split)
        self._next_group = (session.scalar(select(func.max(PostGroup.id))) or 0) + 1
        self._new_groups: list[dict[str, object]] = []
        self._new_keys: list[dict[str, int]] = []
        self._placed: list[dict[str, object]] = []

    def place(self, row: int, post_id: int, text: str) -> None:
        """Find the post's group, or found one."""
        mine = shingles(text)
        exact = group_key(text)
        known = self._known(exact)
        matches = [known] if known else []
        candidates = {other for key in self._keys[row] for other in self._candidates[key][:MOST_CANDIDATES]}
        matches += [
            self._groups[other]
            for other in sorted(candidates)
            if similarity(mine, self._texts[other]) >= NEAR
        ]
        if not matches:
            matches = [self._found_group(exact)]
        group = matches[0]
        is_bridge = len({match.split for match in matches}) > 1
        self._placed.append({"post_id": post_id, "group": group.group_id, "quarantined": is_bridge})
        if known is None and not is_bridge:
            self._add(row, post_id, mine, group)
        if known is None:
            self._by_key.setdefault(exact, group)

    def save(self) -> None:
        """Write what the chunk found."""
        if self._new_groups:
            self._session.execute(insert(PostGroup), self._new_groups)
        self._session.connection().execute(
            update(Post)
            .where(Post.id == bindparam("post_id"))
            .values(group_id=bindparam("group"), is_quarantined=bindparam("quarantined")),
            self._placed,
        )
        if self._new_keys:
            self._session.execute(insert(NearCopyKey), self._new_keys)

    def _known(self, exact: bytes) -> _Known | None:
        """The group founded by an equal text. Copies of other members are found as near-copies."""
        if exact not in self._by_key:
            row = self._session.execute(
                select(PostGroup.id, PostGroup.split).where(PostGroup.key == exact)
            ).first()
            if row is None:
                return None
            self._by_key[exact] = _Known(row.id, row.split)
        return self._by_key[exact]

    def _found_group(self, key: bytes) -> _Known:
        group = _Known(self._next_group, split_of(key))
        self._next_group += 1
        self._new_groups.append({"id": group.group_id, "key": key, "split": group.split})
        return group

    def _add(self, row: int, post_id: int, mine: frozenset[str], group: _Known) -> None:
        self._texts[post_id] = mine
        self._groups[post_id] = group
        for key in set(self._keys[row]):
            self._candidates[key].append(post_id)
            self._new_keys.append({"key": key, "post_id": post_id})
