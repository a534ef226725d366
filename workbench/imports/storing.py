"""Store imported posts in the tables, from the files of `incoming`. Runs in the worker, before preparing."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
from sqlalchemy import Connection, func, select, update
from sqlalchemy.exc import IntegrityError

from db.bulk import insert_tuples
from db.queries.preparing import known_posts
from db.queries.serving import live_claims
from db.session import checkpoint, leave_room, take_write_lock
from db.tables import Import, Post, PostFacts, PostText
from workbench import jobs
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import record
from workbench.errors import InputError, WorkbenchError
from workbench.imports.incoming import (
    FOLDER,
    SCHEMA,
    files_in,
    finished_imports,
    folder_of,
    read_rows,
    text_hash,
)
from workbench.locks import STORE, hold
from workbench.project import Project

CHUNK = 2_000
MOST_AT_ONCE = 5_000
"""Rows per transaction while the database is idle; an annotator who starts in the meantime waits for its end."""
WANTED_HOLD_SECONDS = 0.01
"""Target time to hold the write lock while others are at work: the delay of each answer."""
FEWEST = 500
"""Least rows per transaction, so that storing ends on a slow machine as well."""
REST = "rest"
"""Marker in the folder of an import that is stored without its missing rows: positions no longer give post numbers."""
AT_WORK_SECONDS = 10.0
"""Time after another connection's last write during which others count as at work. An open claim always counts."""


def store_waiting(project: Project) -> int:
    """Store the waiting rows of all imports; resumable. Returns the number of posts.

    Waits for a concurrent call. Raises WorkbenchError for an import that lacks rows, after storing all others.
    """
    stored, problem = 0, None
    with hold(project.data / STORE):
        with project.database.bulk(checks_references=False) as connection:
            query = select(Import.id, Import.first_post, Import.brought, Import.waiting)
            imports = connection.execute(query.where(Import.waiting > 0).order_by(Import.id)).all()
            connection.rollback()
            store = _Store(project, connection)
            for number, first_post, brought, waiting in imports:
                assert first_post is not None  # an import with waiting posts has reserved their numbers
                try:
                    stored += store.all_of(number, first_post, brought, waiting)
                except WorkbenchError as error:
                    problem = error
        _remove_stored_files(project)
    if problem is not None:
        raise problem
    return stored


@dataclass(frozen=True)
class Rest:
    """Numbers of waiting rows of an import; `lost` ones are unreadable or were imported again."""

    stored: int
    lost: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def store_the_rest(project: Project, account: Account, import_id: int, *, is_dry: bool = True) -> Rest:
    """Store the readable rows of an import that lacks rows and give up the others; `is_dry` only counts them.

    It can be repeated after a kill. Unreadable files are removed. The original file can be imported again: its
    stored rows are duplicates.

    Raises NotAllowedError without the right to import, InputError if the import has no waiting rows.
    """
    with hold(project.data / STORE):
        folder = folder_of(project, import_id)
        with reading(project, account, Right.IMPORT) as session:
            row = session.get(Import, import_id)
            # With the marker, a call was killed after the last row and before it was recorded.
            if row is None or not (row.waiting or (folder / REST).exists()):
                raise InputError("None of the rows of import {number} wait to be stored.", number=import_id)
            first_post, brought, waiting = row.first_post, row.brought, row.waiting
            assert first_post is not None
        with project.database.bulk(checks_references=False) as connection:
            store = _Store(project, connection)
            if is_dry:
                readable = sum(len(table) for table in store.left_of(import_id))
                return Rest(readable, waiting - readable)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / REST).touch()
            stored = store.what_is_left(import_id, first_post, brought, waiting)
        with acting(project, account, Right.IMPORT) as session:
            row = session.get_one(Import, import_id)
            rest = Rest(stored, row.waiting)
            row.waiting, row.failure = 0, None
            row.accepted = func.max(0, Import.accepted - rest.lost)
            record(session, project, account.id, "store the rest", str(import_id), **rest.to_dict())
            again = f"prepare-{import_id}-{project.now().isoformat()}"
            jobs.enqueue(project.database.engine, session, jobs.Job.PREPARE, import_id, job_id=again)
        _remove_stored_files(project)
    return rest


def _remove_stored_files(project: Project) -> None:
    """Remove the files of stored rows once these are synced to disk."""
    folders = list((project.data / FOLDER).glob("[0-9]*"))
    if not folders:
        return
    with project.database.write() as session:
        # This commit changes nothing: it syncs to disk, with all bulk commits before it.
        session.execute(update(Import).where(Import.waiting == 0).values(waiting=0))
        stored = set(session.scalars(finished_imports().where(Import.waiting == 0)))
    for folder in folders:
        if int(folder.name) in stored:
            shutil.rmtree(folder)


class _Store:
    def __init__(self, project: Project, connection: Connection) -> None:
        self._project = project
        self._connection = connection
        self._rows_per_step = CHUNK
        self._version = self._data_version()
        self._others_wrote_at = float("-inf")

    def all_of(self, import_id: int, first_post: int, brought: int, waiting: int) -> int:
        folder = folder_of(self._project, import_id)
        if (folder / REST).exists():
            raise WorkbenchError(
                "Import {number} was being stored without the rows it lacks. Finish it: workbench store-rest {number}",
                number=import_id,
            )
        files = files_in(folder)
        counts = [_count_rows(file) for file in files]
        if sum(counts) != brought:
            raise WorkbenchError(
                "{folder} holds {count} of the {brought} rows that an import left there. "
                "Put it back from a backup, or do without them: workbench store-rest {number}",
                folder=folder,
                count=sum(counts),
                brought=brought,
                number=import_id,
            )
        at, start = brought - waiting, 0
        for file, count in zip(files, counts, strict=True):
            if at < start + count:
                rows = _tuples(read_rows(file), import_id, first_post + start)
                try:
                    while at < start + count:
                        at += self._step(import_id, rows, at - start, brought - at)
                except IntegrityError:
                    self._connection.rollback()
                    raise WorkbenchError(
                        "Some posts of import {number} were imported again before it was stored. "
                        "Store the others: workbench store-rest {number}",
                        number=import_id,
                    ) from None
            start += count
        return waiting

    def what_is_left(self, import_id: int, first_post: int, brought: int, waiting: int) -> int:
        """Store the readable rows of an import that are not stored yet; returns their number.

        They take the post numbers after its last stored one.
        """
        at, stored = brought - waiting, 0
        for table in self.left_of(import_id):
            rows = _tuples(table, import_id, first_post + at)
            done = 0
            while done < len(table):
                done += self._step(import_id, rows, done, waiting - stored - done)
            at, stored = at + done, stored + done
        return stored

    def left_of(self, import_id: int) -> Iterator[pa.Table]:
        stored: set[str] = set()  # with those of earlier rows: a damaged file may repeat an id
        for file in files_in(folder_of(self._project, import_id)):
            try:
                table = read_rows(file)
            except pa.ArrowInvalid:
                continue
            names = table["external_id"].to_pylist()
            stored.update(row.external_id for row in self._connection.execute(known_posts(names)))
            self._connection.rollback()
            is_new = []
            for name in names:
                is_new.append(name not in stored)
                stored.add(name)
            yield table.filter(pa.array(is_new, pa.bool_()))

    def _step(self, import_id: int, rows: "_Rows", start: int, waiting: int) -> int:
        is_shared = self._is_in_use()
        step = min(len(rows.posts) - start, self._rows_per_step if is_shared else MOST_AT_ONCE)
        rows_of_step = slice(start, start + step)
        facts = [row for row in rows.facts[rows_of_step] if row is not None]
        take_write_lock(self._connection)
        began = time.monotonic()
        insert_tuples(
            self._connection,
            Post,
            ("id", "external_id", "text_hash", "import_id", "is_quarantined"),
            rows.posts[rows_of_step],
        )
        insert_tuples(self._connection, PostText, ("post_id", "text"), rows.texts[rows_of_step])
        insert_tuples(self._connection, PostFacts, ("post_id", "facts", "thread_key"), facts)
        self._connection.execute(update(Import).where(Import.id == import_id).values(waiting=waiting - step))
        self._connection.commit()
        ended = time.monotonic()
        checkpoint(self._connection)
        if is_shared:
            self._rows_per_step = max(FEWEST, min(CHUNK, int(step * WANTED_HOLD_SECONDS / (ended - began))))
            leave_room(began, ended)
        return step

    def _is_in_use(self) -> bool:
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
    posts: list[tuple[object, ...]]
    texts: list[tuple[object, ...]]
    facts: list[tuple[object, ...] | None]


def _tuples(table: pa.Table, import_id: int, first: int) -> _Rows:
    """Posts are numbered from `first`."""
    names, texts, facts, keys = (table[name].to_pylist() for name in SCHEMA.names)
    numbers = range(first, first + len(names))
    return _Rows(
        [
            (number, name, text_hash(text), import_id, False)
            for number, name, text in zip(numbers, names, texts, strict=True)
        ],
        list(zip(numbers, texts, strict=True)),
        [
            None if values is None else (number, values, key)
            for number, values, key in zip(numbers, facts, keys, strict=True)
        ],
    )


def _count_rows(file: Path) -> int:
    """0 for a damaged file."""
    try:
        return len(read_rows(file))
    except pa.ArrowInvalid:
        return 0
