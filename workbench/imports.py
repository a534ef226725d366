"""Bring a forum TSV into the database: quickly, whole or not at all.

Rows are stored in short transactions so that people go on labelling; the import becomes visible with
its last one. What a killed import left behind is swept away by the next. Grouping and scoring follow
in the worker.
"""

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, delete, func, insert, select, update

from db.tables import Import, Post, PostFacts, PostText, RejectedRow
from workbench import jobs
from workbench.accounts import Account, Right, acting, record
from workbench.errors import InputError
from workbench.facts import thread_key
from workbench.project import Project
from workbench.tsv import Columns, Reject, Row

CHUNK = 2_000
LONGEST_REJECT_SHOWN = 500
LONGEST_PAUSE_SECONDS = 0.02


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


@dataclass(frozen=True)
class _NewPost:
    id: int
    external_id: str
    text: str
    text_hash: bytes
    facts: Mapping[str, str]


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
        import_id = _begin(project, account, source)
        receipt = Receipt(import_id)
        try:
            entries = iter(source)
            while chunk := list(islice(entries, CHUNK)):
                begin = time.monotonic()
                _store(project, receipt, chunk)
                on_progress(receipt.rows, source.bytes_read)
                # SQLite's lock is not fair: without a gap a tight loop of writes starves the annotators.
                time.sleep(min(LONGEST_PAUSE_SECONDS, time.monotonic() - begin))
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


@contextmanager
def _one_at_a_time(project: Project) -> Iterator[None]:
    with (project.data / "import.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
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


def _store(project: Project, receipt: Receipt, chunk: Sequence[Row | Reject]) -> None:
    rows = [entry for entry in chunk if isinstance(entry, Row)]
    rejects = [entry for entry in chunk if isinstance(entry, Reject)]
    with project.database.write() as session:
        names = [identity(row) for row in rows]
        stored = select(Post.external_id, Post.text_hash).where(Post.external_id.in_(names))
        known = dict(session.execute(stored).all())
        next_id = (session.scalar(select(func.max(Post.id))) or 0) + 1
        posts: list[_NewPost] = []
        for name, row in zip(names, rows, strict=True):
            digest = text_hash(row.text)
            if name not in known:
                known[name] = digest
                posts.append(_NewPost(next_id + len(posts), name, row.text, digest, row.facts))
            elif known[name] == digest:
                receipt.duplicates += 1
            else:
                rejects.append(Reject(row.line, known_otherwise(name), row.text))
        _insert(session.connection(), receipt.import_id, posts, rejects)
    receipt.accepted += len(posts)
    receipt.rejected += len(rejects)
    receipt.rejects.extend(rejects[: REJECTS_KEPT - len(receipt.rejects)])


def _insert(
    connection: Connection, import_id: int, posts: Sequence[_NewPost], rejects: Sequence[Reject]
) -> None:
    tables: list[tuple[type, list[dict[str, object]]]] = [
        (
            Post,
            [
                {
                    "id": post.id,
                    "external_id": post.external_id,
                    "text_hash": post.text_hash,
                    "import_id": import_id,
                    "is_quarantined": False,
                }
                for post in posts
            ],
        ),
        (PostText, [{"post_id": post.id, "text": post.text} for post in posts]),
        (
            PostFacts,
            [
                {"post_id": post.id, "facts": dict(post.facts), "thread_key": thread_key(post.facts)}
                for post in posts
                if post.facts
            ],
        ),
        (
            RejectedRow,
            [
                {
                    "import_id": import_id,
                    "line": reject.line,
                    "reason": reject.reason,
                    "content": reject.content[:LONGEST_REJECT_SHOWN],
                }
                for reject in rejects
            ],
        ),
    ]
    for table, values in tables:
        if values:
            connection.execute(insert(table), values)


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
        while _remove_some(project, import_id):
            pass
        with project.database.write() as session:
            session.execute(delete(RejectedRow).where(RejectedRow.import_id == import_id))
            session.execute(
                update(Import).where(Import.id == import_id).values(state="failed", finished_at=project.now())
            )


def _remove_some(project: Project, import_id: int) -> int:
    with project.database.write() as session:
        ids = session.scalars(select(Post.id).where(Post.import_id == import_id).limit(CHUNK)).all()
        for table, column in ((PostText, PostText.post_id), (PostFacts, PostFacts.post_id), (Post, Post.id)):
            session.execute(delete(table).where(column.in_(ids)))
        return len(ids)
