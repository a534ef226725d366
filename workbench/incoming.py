"""Posts on their way into the database: an import writes them to files, and the worker stores them.

Storing takes the write lock, which whoever labels needs too, and keeps half a dozen indexes. So an import touches no table of
posts: it is done as soon as the rows are read, checked and safe on the disk, and nobody who labels notices it. The worker then
stores them before it prepares them, in steps, and goes on where it was killed.
"""

import hashlib
import secrets
import shutil
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pandas.util import hash_array
from sqlalchemy import Connection, Select, select, update
from sqlalchemy.orm import Session

from db.bulk import insert_tuples
from db.queries.serving import live_claims
from db.session import checkpoint, take_write_lock
from db.tables import Import, Post, PostFacts, PostText
from workbench.errors import WorkbenchError
from workbench.locks import STORE, hold
from workbench.project import Project

FOLDER = "incoming"
SCHEMA = pa.schema(
    [
        ("external_id", pa.string()),
        ("text", pa.string()),
        ("facts", pa.string()),
        ("thread_key", pa.int64()),
    ]
)
"""Of a file of rows; `facts` is JSON as the table keeps it, null where a post has none."""

CHUNK = 2_000
MOST_AT_ONCE = 5_000
"""Rows of a transaction while nobody is at work: whoever begins to label meanwhile waits for the rest of it."""
WANTED_HOLD_SECONDS = 0.01
"""How long to keep the write lock while others are at work: they wait that long at every key."""
FEWEST = 500
"""Rows; on a machine that cannot store them in that time it would never end."""
AT_WORK_SECONDS = 10.0
"""After somebody else's last write. Whoever has a post open is at work, however long they think."""
MOST_MERGED = 2**20
"""Hashes in one run: to merge larger ones would take as much memory again, for a while."""


@dataclass
class Block:
    """Rows read from a file, a value each in every list."""

    external_ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    facts: list[str | None] = field(default_factory=list)
    thread_keys: list[int | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.external_ids)

    def write(self, file: Path) -> None:
        columns = (self.external_ids, self.texts, self.facts, self.thread_keys)
        batch = pa.record_batch(
            [pa.array(values, one.type) for values, one in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
        )
        with pa.ipc.new_file(str(file), SCHEMA) as sink:
            sink.write_batch(batch)


def text_hash(text: str) -> bytes:
    """16 bytes of SHA-256 of the exact text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def folder_of(project: Project, import_id: int) -> Path:
    """Where the rows of an import are until they are stored."""
    return project.data / FOLDER / f"{import_id:06d}"


def files_in(folder: Path) -> list[Path]:
    """The files of rows, in the order of their rows."""
    return sorted(folder.glob("*.arrow"))


class WaitingPosts:
    """The posts that are in no table yet, found by their ids: 16 bytes of memory each, whatever they say."""

    def __init__(self) -> None:
        # Forum posts are hostile: without a secret, ids could be made to collide.
        self._key = secrets.token_hex(8)
        self._runs: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
        self._files: list[Path] = []
        self._starts: list[int] = []
        self._count = 0

    @classmethod
    def of(cls, project: Project) -> "WaitingPosts":
        """Those of earlier imports that nobody has stored yet."""
        found = cls()
        with project.database.read() as session:
            imports = session.scalars(select(Import.id).where(Import.waiting > 0).order_by(Import.id)).all()
        for number in imports:
            for file in files_in(folder_of(project, number)):
                try:
                    found.add(file, _read(file)["external_id"].to_pylist())
                except FileNotFoundError:  # stored meanwhile
                    break
                except pa.ArrowInvalid:  # whoever stores it tells what to do
                    continue
        return found

    def add(self, file: Path, external_ids: Sequence[str]) -> None:
        """Rows that are in this file, in its order."""
        if not external_ids:
            return
        self._files.append(file)
        self._starts.append(self._count)
        hashes = self._hashes(external_ids)
        rows = np.arange(self._count, self._count + len(hashes), dtype=np.int64)
        self._count += len(hashes)
        order = np.argsort(hashes, kind="stable")
        self._runs.append((hashes[order], rows[order]))
        # Runs of like size are merged, so that there are few of them and each row moves seldom.
        while len(self._runs) > 1 and len(self._runs[-2][0]) <= len(self._runs[-1][0]) <= MOST_MERGED:
            (one, its_rows), (other, other_rows) = self._runs.pop(), self._runs.pop()
            hashes, rows = np.concatenate([other, one]), np.concatenate([other_rows, its_rows])
            order = np.argsort(hashes, kind="stable")
            self._runs.append((hashes[order], rows[order]))

    def texts_of(self, external_ids: Sequence[str]) -> dict[str, str]:
        """Texts by id, of those of the ids that wait. One that is stored meanwhile may be missing: ask the tables afterwards."""
        if not self._runs or not external_ids:
            return {}
        wanted = np.sort(self._hashes(external_ids))
        hits: list[int] = []
        for hashes, rows in self._runs:
            left = np.searchsorted(hashes, wanted)
            is_hit = hashes[np.minimum(left, len(hashes) - 1)] == wanted
            right = np.searchsorted(hashes, wanted[is_hit], "right")
            for start, end in zip(left[is_hit].tolist(), right.tolist(), strict=True):
                hits.extend(rows[start:end].tolist())
        names, found = set(external_ids), {}
        for external_id, text in self._at(sorted(set(hits))):
            if external_id in names:
                found[external_id] = text
        return found

    def _at(self, rows: Sequence[int]) -> Iterator[tuple[str, str]]:
        """External id and text of these rows."""
        read = lru_cache(maxsize=2)(_read)
        for row in rows:
            which = bisect_right(self._starts, row) - 1
            try:
                table = read(self._files[which])
            except FileNotFoundError:
                continue
            at = row - self._starts[which]
            yield table["external_id"][at].as_py(), table["text"][at].as_py()

    def _hashes(self, external_ids: Sequence[str]) -> NDArray[np.uint64]:
        names = np.array(external_ids, dtype=object)
        return hash_array(names, hash_key=self._key, categorize=False)


def is_anything_waiting(session: Session) -> bool:
    """Whether imported posts are in no table yet."""
    return session.scalar(select(Import.id).where(Import.waiting > 0).limit(1)) is not None


def store_waiting(project: Project) -> int:
    """Put into the tables what imports have left; killed half-way, it goes on where it was. Returns how many posts.

    Whoever comes while somebody else does it waits. An import that lacks rows keeps no other one waiting.

    Raises WorkbenchError, after all others are stored, for an import that lacks rows.
    """
    stored, problem = 0, None
    with hold(project.data / STORE, waits=True):
        with project.database.bulk(checks_references=False) as connection:
            query = select(Import.id, Import.first_post, Import.brought, Import.waiting)
            found = connection.execute(query.where(Import.waiting > 0).order_by(Import.id)).all()
            connection.rollback()
            store = _Store(project, connection)
            for number, first_post, brought, waiting in found:
                assert first_post is not None  # whoever let posts wait gave them numbers
                try:
                    stored += store.all_of(number, first_post, brought, waiting)
                except WorkbenchError as error:
                    problem = error
        _make_certain_and_remove(project)
    if problem is not None:
        raise problem
    return stored


def _make_certain_and_remove(project: Project) -> None:
    """Remove the files of rows that are stored, once that survives a power cut."""
    folders = list((project.data / FOLDER).glob("[0-9]*"))
    if not folders:
        return
    with project.database.write() as session:
        # An empty step of its own: its commit waits for the disk, and for all that came before.
        session.execute(update(Import).where(Import.waiting == 0).values(waiting=0))
        stored = set(session.scalars(_finished().where(Import.waiting == 0)))
    for folder in folders:
        if int(folder.name) in stored:
            shutil.rmtree(folder)


def remove_strays(project: Project) -> None:
    """Remove what imports have left that never finished. Only under the import lock."""
    with project.database.read() as session:
        kept = {folder_of(project, number) for number in session.scalars(_finished())}
    for folder in (project.data / FOLDER).glob("*"):
        if folder not in kept:
            shutil.rmtree(folder)


def _finished() -> Select[int]:
    return select(Import.id).where(Import.state.in_(("stored", "prepared")))


class _Store:
    """Puts rows into the tables, in short steps while somebody else is at work."""

    def __init__(self, project: Project, connection: Connection) -> None:
        self._project = project
        self._connection = connection
        self._rows_a_hold = CHUNK
        self._version = self._data_version()
        self._others_wrote_at = float("-inf")

    def all_of(self, import_id: int, first_post: int, brought: int, waiting: int) -> int:
        """Store the last `waiting` rows of an import; returns how many."""
        folder = folder_of(self._project, import_id)
        files = files_in(folder)
        counts = [_count_rows(file) for file in files]
        if sum(counts) != brought:
            raise WorkbenchError(
                "{folder} holds {count} of the {brought} rows that an import left there. Put it back from a backup.",
                folder=folder,
                count=sum(counts),
                brought=brought,
            )
        at, start = brought - waiting, 0
        for file, count in zip(files, counts, strict=True):
            if at < start + count:
                rows = _tuples(file, import_id, first_post + start)
                while at < start + count:
                    at += self._step(import_id, rows, at - start, brought - at)
            start += count
        return waiting

    def _step(self, import_id: int, rows: "_Rows", start: int, waiting: int) -> int:
        """One transaction, with rows from `start` on; returns how many."""
        is_shared = self._is_anybody_at_work()
        step = min(len(rows.posts) - start, self._rows_a_hold if is_shared else MOST_AT_ONCE)
        some = slice(start, start + step)
        facts = [told for told in rows.facts[some] if told is not None]
        take_write_lock(self._connection)
        began = time.monotonic()
        insert_tuples(
            self._connection,
            Post,
            ("id", "external_id", "text_hash", "import_id", "is_quarantined"),
            rows.posts[some],
        )
        insert_tuples(self._connection, PostText, ("post_id", "text"), rows.texts[some])
        insert_tuples(self._connection, PostFacts, ("post_id", "facts", "thread_key"), facts)
        self._connection.execute(update(Import).where(Import.id == import_id).values(waiting=waiting - step))
        self._connection.commit()
        held = time.monotonic() - began
        checkpoint(self._connection)
        if is_shared:
            self._rows_a_hold = max(FEWEST, min(CHUNK, int(step * WANTED_HOLD_SECONDS / held)))
            # SQLite's lock is not fair: without a gap a tight loop of writes starves the annotators.
            time.sleep(max(0.0, began + 2 * held - time.monotonic()))
        return step

    def _is_anybody_at_work(self) -> bool:
        """Whether somebody has a post open, or anybody else has written of late."""
        version = self._data_version()
        if version != self._version:
            self._version, self._others_wrote_at = version, time.monotonic()
        is_labelling = self._connection.scalar(select(live_claims(self._project.now()).exists()))
        self._connection.rollback()
        return bool(is_labelling) or time.monotonic() < self._others_wrote_at + AT_WORK_SECONDS

    def _data_version(self) -> int:
        version: int = self._connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        self._connection.rollback()
        return version


@dataclass(frozen=True)
class _Rows:
    """What a file of rows adds to each table, one value a row."""

    posts: list[tuple[object, ...]]
    texts: list[tuple[object, ...]]
    facts: list[tuple[object, ...] | None]


def _tuples(file: Path, import_id: int, first: int) -> _Rows:
    """The posts of a file, numbered from `first`."""
    table = _read(file)
    names, texts, facts, keys = (table[name].to_pylist() for name in SCHEMA.names)
    numbers = range(first, first + len(names))
    return _Rows(
        [
            (number, name, text_hash(text), import_id, False)
            for number, name, text in zip(numbers, names, texts, strict=True)
        ],
        list(zip(numbers, texts, strict=True)),
        [
            None if told is None else (number, told, key)
            for number, told, key in zip(numbers, facts, keys, strict=True)
        ],
    )


def _read(file: Path) -> pa.Table:
    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_file(source).read_all()


def _count_rows(file: Path) -> int:
    """None of a file that is cut off or spoilt."""
    try:
        return len(_read(file))
    except pa.ArrowInvalid:
        return 0
