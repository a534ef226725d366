"""Bring a forum TSV into the database: quickly, whole or not at all.

Rows are stored in transactions that are short while somebody is at work; the import becomes visible, and
certain to survive a crash, with its last one. What a killed import left behind is swept away by the next.
Grouping and scoring follow in the worker.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, delete, func, select, update

from db.bulk import insert_tuples
from db.queries import known_posts, live_claims
from db.session import checkpoint, take_write_lock
from db.tables import Base, Claim, Import, Post, PostFacts, PostText, QueueEntry, RejectedRow
from workbench import jobs
from workbench.accounts import Account, Right, acting, record
from workbench.errors import InputError
from workbench.facts import thread_key
from workbench.locks import IMPORT, hold
from workbench.project import Project
from workbench.tsv import Columns, Reject, Row

CHUNK = 2_000
BLOCK = 20_000
"""Rows read and looked up at once, without the write lock; while nobody else is at work, one transaction too."""
BLOCK_CHARACTERS = 8_000_000
"""Or so many characters: a block of the longest texts would not fit the memory."""
LONGEST_REJECT_SHOWN = 500
WANTED_HOLD_SECONDS = 0.01
"""How long to keep the write lock while others are at work: they wait that long at every key."""
FEWEST = 500
"""Rows; on a machine that cannot store them in that time the import would never end."""
LONGEST_PAUSE_SECONDS = 0.02
AT_WORK_SECONDS = 10.0
"""After somebody else's last write. Whoever has a post open is at work, however long they think."""


@dataclass
class Receipt:
    """Every row of the file, accounted for."""

    import_id: int
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.accepted + self.duplicates + self.rejected


class RowSource(Protocol):
    """Where rows come from: an open TSV, or the unknown posts of a label file."""

    path: Path
    encoding: str
    columns: Columns

    @property
    def bytes_read(self) -> int: ...

    def __iter__(self) -> Iterator[Row | Reject]: ...


@dataclass
class _Block:
    """What a block of rows adds: a tuple for each row of a table, columns in the order of `_COLUMNS`."""

    posts: list[tuple[object, ...]] = field(default_factory=list)
    texts: list[tuple[object, ...]] = field(default_factory=list)
    facts: list[tuple[object, ...] | None] = field(default_factory=list)
    rejects: list[tuple[object, ...]] = field(default_factory=list)


_COLUMNS: dict[type[Base], tuple[str, ...]] = {
    Post: ("id", "external_id", "text_hash", "import_id", "is_quarantined"),
    PostText: ("post_id", "text"),
    PostFacts: ("post_id", "facts", "thread_key"),
    RejectedRow: ("import_id", "line", "reason", "content"),
}


REJECTS_KEPT = 1_000
"""Rejects handed back with the receipt; the database keeps them all."""


def import_rows(
    project: Project,
    account: Account,
    source: RowSource,
    *,
    on_progress: Callable[[int, int], None] = lambda _rows, _bytes: None,
) -> Receipt:
    """Store the new posts of a TSV and enqueue their preparation.

    A row is a duplicate when its id and text are known; the same text under another id is a post of
    its own. A known id with another text is rejected. Without an id column the text is the identity.

    Args:
        on_progress: called with rows and bytes read so far.

    Raises:
        NotAllowedError: the person may not import.
        InputError: another import is running, or the file stops being readable half-way (nothing is kept).
    """
    with _one_at_a_time(project):
        receipt = Receipt(_begin(project, account, source))
        try:
            with project.database.bulk(checks_references=False) as connection:
                store = _Store(project, connection, receipt)
                entries = iter(source)
                while block := _next_block(entries):
                    store.add(block)
                    on_progress(receipt.rows, source.bytes_read)
        except BaseException:
            _sweep(project)
            raise
        _finish(project, account, receipt)
    return receipt


def rejects_of(project: Project, import_id: int) -> list[Reject]:
    """All rows of an import that could not be read, by line."""
    with project.database.read() as session:
        rows = session.scalars(
            select(RejectedRow).where(RejectedRow.import_id == import_id).order_by(RejectedRow.line)
        )
        return [Reject(row.line, row.reason, row.content) for row in rows]


def identity(row: Row) -> str:
    """The forum's id of a row, or one made from its text."""
    return row.id if row.id is not None else f"text-{text_hash(row.text).hex()}"


def known_otherwise(name: str) -> str:
    """Why a row with this id is refused where a post has it that reads differently."""
    return f"id {name} is already known with another text"


def text_hash(text: str) -> bytes:
    """16 bytes of SHA-256 of the exact text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:16]


def _next_block(entries: Iterator[Row | Reject]) -> list[Row | Reject]:
    """Empty at the end."""
    block: list[Row | Reject] = []
    characters = 0
    for entry in islice(entries, BLOCK):
        block.append(entry)
        characters += len(entry.text if isinstance(entry, Row) else entry.content)
        if characters >= BLOCK_CHARACTERS:
            break
    return block


@contextmanager
def _one_at_a_time(project: Project) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(hold(project.data / IMPORT, waits=False))
        except BlockingIOError:
            raise InputError("Another import is running. Wait until it has finished.") from None
        # Nobody else is importing now, so whatever is half stored belongs to a process that died.
        _sweep(project)
        yield


def _begin(project: Project, account: Account, source: RowSource) -> int:
    with acting(project, account, Right.IMPORT) as session:
        row = Import(
            file_name=source.path.name,
            state="storing",
            encoding=source.encoding,
            columns={
                "names": list(source.columns.names),
                "text": source.columns.text,
                "id": source.columns.id,
            },
            started_at=project.now(),
            person_id=account.id,
        )
        session.add(row)
        session.flush()
        return row.id


class _Store:
    """Puts rows into the database block by block; nobody else adds posts meanwhile."""

    def __init__(self, project: Project, connection: Connection, receipt: Receipt) -> None:
        self._project = project
        self._connection = connection
        self._receipt = receipt
        self._rows_a_hold = CHUNK
        self._version = self._data_version()
        self._others_wrote_at = float("-inf")
        self._next_id = (connection.scalar(select(func.max(Post.id))) or 0) + 1
        connection.rollback()

    def add(self, entries: Sequence[Row | Reject]) -> None:
        """Store what is new among the entries, and count all of them."""
        block = self._sort_out(entries)
        is_shared = self._is_anybody_at_work()
        at, size = 0, max(len(block.posts), len(block.rejects))
        while at < size:
            step = self._rows_a_hold if is_shared else size
            held = self._insert(block, slice(at, at + step))
            at += step
            pause_until = time.monotonic() + held
            checkpoint(self._connection)
            if is_shared:
                self._rows_a_hold = max(FEWEST, min(CHUNK, int(step * WANTED_HOLD_SECONDS / held)))
                # SQLite's lock is not fair: without a gap a tight loop of writes starves the annotators.
                time.sleep(max(0.0, pause_until - time.monotonic()))

    def _sort_out(self, entries: Sequence[Row | Reject]) -> _Block:
        receipt, block = self._receipt, _Block()
        rows = [entry for entry in entries if isinstance(entry, Row)]
        rejects = [entry for entry in entries if isinstance(entry, Reject)]
        names = list(map(identity, rows))
        known = dict(self._connection.execute(known_posts(names)).all())
        self._connection.rollback()
        for name, row in zip(names, rows, strict=True):
            digest = text_hash(row.text)
            before = known.get(name)
            if before is None:
                known[name] = digest
                number = self._next_id + len(block.posts)
                block.posts.append((number, name, digest, receipt.import_id, False))
                block.texts.append((number, row.text))
                block.facts.append(
                    (number, json.dumps(row.facts), thread_key(row.facts)) if row.facts else None
                )
            elif before == digest:
                receipt.duplicates += 1
            else:
                rejects.append(Reject(row.line, known_otherwise(name), row.text))
        block.rejects.extend(
            (receipt.import_id, line, reason, content[:LONGEST_REJECT_SHOWN])
            for line, reason, content in rejects
        )
        self._next_id += len(block.posts)
        receipt.accepted += len(block.posts)
        receipt.rejected += len(rejects)
        receipt.rejects.extend(rejects[: REJECTS_KEPT - len(receipt.rejects)])
        return block

    def _insert(self, block: _Block, rows: slice) -> float:
        """Insert these rows of the block. Returns for how many seconds the write lock was held."""
        take_write_lock(self._connection)
        began = time.monotonic()
        for table, values in (
            (Post, block.posts[rows]),
            (PostText, block.texts[rows]),
            (PostFacts, [told for told in block.facts[rows] if told is not None]),
            (RejectedRow, block.rejects[rows]),
        ):
            insert_tuples(self._connection, table, _COLUMNS[table], values)
        self._connection.commit()
        return time.monotonic() - began

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


def _finish(project: Project, account: Account, receipt: Receipt) -> None:
    with project.database.write() as session:
        row = session.get_one(Import, receipt.import_id)
        row.accepted, row.duplicates, row.rejected = receipt.accepted, receipt.duplicates, receipt.rejected
        row.state = "stored" if receipt.accepted else "prepared"
        row.finished_at = project.now()
        record(
            session, project, account.id, "import", row.file_name, import_id=row.id, accepted=receipt.accepted
        )
        if receipt.accepted:
            jobs.enqueue(
                project.database.engine,
                session,
                jobs.Job.PREPARE,
                receipt.import_id,
                job_id=f"prepare-{receipt.import_id}",
            )


def _sweep(project: Project) -> None:
    """Remove the posts of imports that never finished. Only under the import lock."""
    with project.database.read() as session:
        dead = session.scalars(select(Import.id).where(Import.state == "storing")).all()
    for import_id in dead:
        while True:
            began = time.monotonic()
            if not _remove_some(project, import_id):
                break
            time.sleep(min(LONGEST_PAUSE_SECONDS, time.monotonic() - began))
        with project.database.write() as session:
            session.execute(delete(RejectedRow).where(RejectedRow.import_id == import_id))
            session.execute(
                update(Import).where(Import.id == import_id).values(state="failed", finished_at=project.now())
            )


def _remove_some(project: Project, import_id: int) -> int:
    with project.database.write() as session:
        ids = session.scalars(select(Post.id).where(Post.import_id == import_id).limit(CHUNK)).all()
        for table, column in (
            (Claim, Claim.post_id),
            (QueueEntry, QueueEntry.post_id),
            (PostText, PostText.post_id),
            (PostFacts, PostFacts.post_id),
            (Post, Post.id),
        ):
            session.execute(delete(table).where(column.in_(ids)))
        return len(ids)
