"""Import a forum TSV, whole or not at all.

Rows are checked and written to files; the import's last transaction makes them part of the project. Storing, grouping
and scoring follow in the worker; the reason is in `incoming`.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Protocol

from sqlalchemy import delete, func, insert, select, update

from db.queries.preparing import known_posts
from db.session import leave_room
from db.tables import Import, Post, RejectedRow
from trainer.chunks import in_chunks
from trainer.errors import TrainerError
from trainer.files import new_folder
from trainer.reading.columns import Columns
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import Row, plain_id
from workbench import jobs
from workbench.accounts import Account, Right, acting
from workbench.audit import record
from workbench.errors import InputError
from workbench.imports import incoming
from workbench.imports.facts import thread_key
from workbench.imports.incoming import Block, WaitingPosts, text_hash
from workbench.imports.tsv import refusing
from workbench.locks import IMPORT, hold
from workbench.project import Project

BLOCK = 20_000
"""Rows per block, which is read, looked up and written at once."""
BLOCK_CHARACTERS = 8_000_000
"""Characters that end a block early: a block of the longest texts would not fit into memory."""
REJECTS_AT_ONCE = 250
"""Rejects written per transaction, which holds the write lock for about 10 ms."""
LONGEST_REJECT_SHOWN = 500


@dataclass
class Receipt:
    import_id: int
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejects: list[Reject] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.accepted + self.duplicates + self.rejected


class RowSource(Protocol):
    """An open TSV, or the posts of a label file that are not in the project."""

    path: Path
    encoding: str
    columns: Columns

    @property
    def bytes_read(self) -> int: ...

    def __iter__(self) -> Iterator[Row | Reject]: ...


REJECTS_KEPT = 1_000
"""Rejects in the receipt; the database holds all of them."""


def import_rows(
    project: Project,
    account: Account,
    source: RowSource,
    *,
    on_progress: Callable[[int, int], None] = lambda _rows, _bytes: None,
) -> Receipt:
    """Import the new posts of a TSV and enqueue the job that stores and prepares them.

    A row is a duplicate if id and text match a post; the same text under another id is a separate post. An existing
    id with another text is rejected. Without an id column the text is the identity.

    Args:
        on_progress: called with the rows and bytes read so far.

    Raises:
        NotAllowedError: the person may not import.
        InputError: another import is running, or the file becomes unreadable (nothing is imported).
    """
    with alone(project):
        return take_in(project, account, source, on_progress=on_progress)


def take_in(
    project: Project,
    account: Account,
    source: RowSource,
    *,
    on_progress: Callable[[int, int], None] = lambda _rows, _bytes: None,
) -> Receipt:
    """`import_rows` for a caller that holds `alone`."""
    receipt = Receipt(_begin(project, account, source))
    folder = incoming.folder_of(project, receipt.import_id)
    try:
        with new_folder(folder) as part:
            intake = _Intake(project, receipt, part)
            entries = iter(source)
            while block := _next_block(entries, source.path):
                intake.add(block)
                on_progress(receipt.rows, source.bytes_read)
        if not receipt.accepted:
            folder.rmdir()
        _finish(project, account, receipt)
    except TrainerError as error:
        sweep(project)
        raise InputError("The posts could not be kept: {reason}.", reason=error) from error
    except BaseException:
        sweep(project)
        raise
    return receipt


@contextmanager
def alone(project: Project) -> Iterator[None]:
    """Hold the import lock. Raises InputError while another import runs."""
    another = InputError("Another import is running. Wait until it has finished.")
    with hold(project.data / IMPORT, seconds=0, refusal=another):
        # Under the lock, an unfinished import belongs to a process that died.
        sweep(project)
        yield


def rejects_of(project: Project, import_id: int) -> list[Reject]:
    with project.database.read() as session:
        rows = session.scalars(
            select(RejectedRow).where(RejectedRow.import_id == import_id).order_by(RejectedRow.line)
        )
        return [
            Reject(row.line, RejectCode(row.code), row.content, row.external_id, row.details) for row in rows
        ]


def identity(row: Row) -> str:
    return plain_id(row.id) if row.id is not None else f"text-{text_hash(row.text).hex()}"


def _next_block(entries: Iterator[Row | Reject], path: Path) -> list[Row | Reject]:
    """The next entries, an empty list at the end. Raises InputError if the file cannot be read."""
    block: list[Row | Reject] = []
    characters = 0
    try:
        with refusing():
            for entry in islice(entries, BLOCK):
                block.append(entry)
                if isinstance(entry, Row):
                    characters += len(entry.text) + (
                        sum(map(len, entry.facts.values())) if entry.facts else 0
                    )
                else:
                    characters += len(entry.content)
                if characters >= BLOCK_CHARACTERS:
                    break
    except OSError as error:
        raise InputError("{file} can no longer be read: {problem}.", file=path, problem=error) from error
    return block


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


class _Intake:
    """Writes the new rows to a folder, block by block. The caller holds the import lock."""

    def __init__(self, project: Project, receipt: Receipt, folder: Path) -> None:
        self._project = project
        self._receipt = receipt
        self._folder = folder
        self._waiting = WaitingPosts.of(project)
        self._blocks = 0

    def add(self, entries: Sequence[Row | Reject]) -> None:
        block, rejects = self._new_and_rejected(entries)
        if block.external_ids:
            file = self._folder / f"{self._blocks:06d}.arrow"
            block.write(file)
            self._waiting.add(file, block.external_ids)
            self._blocks += 1
        for chunk in in_chunks(rejects, REJECTS_AT_ONCE):
            began = time.monotonic()
            with self._project.database.write() as session:
                session.execute(
                    insert(RejectedRow),
                    [
                        {
                            "import_id": self._receipt.import_id,
                            "line": reject.line,
                            "code": reject.code,
                            "details": dict(reject.values),
                            "external_id": reject.external_id,
                            "content": reject.content[:LONGEST_REJECT_SHOWN],
                        }
                        for reject in chunk
                    ],
                )
            leave_room(began)

    def _new_and_rejected(self, entries: Sequence[Row | Reject]) -> tuple[Block, list[Reject]]:
        receipt, block = self._receipt, Block()
        rows = [entry for entry in entries if isinstance(entry, Row)]
        rejects = [entry for entry in entries if isinstance(entry, Reject)]
        names = list(map(identity, rows))
        # Text, or hash of the text. Waiting posts come first: those stored in the meantime are in the tables.
        texts: dict[str, str | bytes] = {**self._waiting.texts_of(names)}
        with self._project.database.read() as session:
            texts |= session.execute(known_posts(names)).all()
        for name, row in zip(names, rows, strict=True):
            existing = texts.get(name)
            if existing is None:
                texts[name] = row.text
                block.external_ids.append(name)
                block.texts.append(row.text)
                block.facts.append(json.dumps(row.facts) if row.facts else None)
                block.thread_keys.append(thread_key(row.facts) if row.facts else None)
            elif existing == (row.text if isinstance(existing, str) else text_hash(row.text)):
                receipt.duplicates += 1
            else:
                rejects.append(Reject(row.line, RejectCode.OTHER_TEXT, row.text, name))
        receipt.accepted += len(block)
        receipt.rejected += len(rejects)
        receipt.rejects.extend(rejects[: REJECTS_KEPT - len(receipt.rejects)])
        return block, rejects


def _finish(project: Project, account: Account, receipt: Receipt) -> None:
    with project.database.write() as session:
        row = session.get_one(Import, receipt.import_id)
        row.accepted, row.duplicates, row.rejected = receipt.accepted, receipt.duplicates, receipt.rejected
        row.state = "stored" if receipt.accepted else "prepared"
        # Numbers freed by a purge are not reused: scores and tokens may still refer to them.
        last_given = session.scalar(select(func.max(Import.first_post + Import.brought))) or 1
        row.first_post = max(last_given, (session.scalar(select(func.max(Post.id))) or 0) + 1)
        row.brought = row.waiting = receipt.accepted
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


def sweep(project: Project) -> None:
    """Remove the remains of unfinished imports. The caller holds the import lock."""
    incoming.remove_strays(project)  # first: the files of failed imports are not searched for again
    with project.database.read() as session:
        dead = session.scalars(select(Import.id).where(Import.state == "storing")).all()
    if not dead:
        return
    with project.database.write() as session:
        session.execute(delete(RejectedRow).where(RejectedRow.import_id.in_(dead)))
        session.execute(
            update(Import).where(Import.id.in_(dead)).values(state="failed", finished_at=project.now())
        )
