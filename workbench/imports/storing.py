"""Imported posts into the tables, out of the files where `incoming` keeps them. The worker's, before it prepares them."""

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
from workbench.accounts import Account, Right, acting, reading, record
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
"""Rows of a transaction while nobody is at work: whoever begins to label meanwhile waits for the rest of it."""
WANTED_HOLD_SECONDS = 0.01
"""How long to keep the write lock while others are at work: they wait that long at every key."""
FEWEST = 500
"""Rows; on a machine that cannot store them in that time it would never end."""
REST = "rest"
"""In an import's folder once it is to be stored without what it lacks: where its rows are no longer says their numbers."""
AT_WORK_SECONDS = 10.0
"""After somebody else's last write. Whoever has a post open is at work, however long they think."""


def store_waiting(project: Project) -> int:
    """Put into the tables what imports have left; killed half-way, it goes on where it was. Returns how many posts.

    Whoever comes while somebody else does it waits. An import that lacks rows keeps no other one waiting.

    Raises WorkbenchError, after all others are stored, for an import that lacks rows.
    """
    stored, problem = 0, None
    with hold(project.data / STORE):
        with project.database.bulk(checks_references=False) as connection:
            query = select(Import.id, Import.first_post, Import.brought, Import.waiting)
            imports = connection.execute(query.where(Import.waiting > 0).order_by(Import.id)).all()
            connection.rollback()
            store = _Store(project, connection)
            for number, first_post, brought, waiting in imports:
                assert first_post is not None  # whoever let posts wait gave them numbers
                try:
                    stored += store.all_of(number, first_post, brought, waiting)
                except WorkbenchError as error:
                    problem = error
        _make_certain_and_remove(project)
    if problem is not None:
        raise problem
    return stored


@dataclass(frozen=True)
class Rest:
    """What becomes of the rows of an import that still wait; `lost` are those that nobody can read, or that came again."""

    stored: int
    lost: int

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def store_the_rest(project: Project, account: Account, import_id: int, *, is_dry: bool = True) -> Rest:
    """Store what can be read of an import that lacks rows, and wait for the others no longer; or only say what would be.

    Killed, it can be run again. The files that could not be read go; the file that was imported can be imported once
    more, what is known by now is a duplicate.

    Raises NotAllowedError for somebody who may not import, InputError where none of the import's rows wait.
    """
    with hold(project.data / STORE):
        folder = folder_of(project, import_id)
        with reading(project, account, Right.IMPORT) as session:
            row = session.get(Import, import_id)
            # Killed after the last row, it has still to be told.
            if row is None or not (row.waiting or (folder / REST).exists()):
                raise InputError("None of the rows of import {number} wait to be stored.", number=import_id)
            first_post, brought, waiting = row.first_post, row.brought, row.waiting
            assert first_post is not None
        with project.database.bulk(checks_references=False) as connection:
            store = _Store(project, connection)
            if is_dry:
                left = sum(len(table) for table in store.left_of(import_id))
                return Rest(left, waiting - left)
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
        _make_certain_and_remove(project)
    return rest


def _make_certain_and_remove(project: Project) -> None:
    """Remove the files of rows that are stored, once that survives a power cut."""
    folders = list((project.data / FOLDER).glob("[0-9]*"))
    if not folders:
        return
    with project.database.write() as session:
        # An empty step of its own: its commit waits for the disk, and for all that came before.
        session.execute(update(Import).where(Import.waiting == 0).values(waiting=0))
        stored = set(session.scalars(finished_imports().where(Import.waiting == 0)))
    for folder in folders:
        if int(folder.name) in stored:
            shutil.rmtree(folder)


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
        """Store those of an import's rows that can be read and are in no table; returns how many.

        They take the numbers that follow its last stored post.
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
        """Of each file that can be read the rows whose ids are in no table."""
        stored: set[str] = set()  # and those that came before: a spoilt file may hold an id twice
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
        """One transaction, with rows from `start` on; returns how many."""
        is_shared = self._is_anybody_at_work()
        step = min(len(rows.posts) - start, self._rows_a_hold if is_shared else MOST_AT_ONCE)
        some = slice(start, start + step)
        facts = [row for row in rows.facts[some] if row is not None]
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
        ended = time.monotonic()
        checkpoint(self._connection)
        if is_shared:
            self._rows_a_hold = max(FEWEST, min(CHUNK, int(step * WANTED_HOLD_SECONDS / (ended - began))))
            leave_room(began, ended)
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


def _tuples(table: pa.Table, import_id: int, first: int) -> _Rows:
    """The posts of a file of rows, numbered from `first`."""
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
    """None of a file that is cut off or spoilt."""
    try:
        return len(read_rows(file))
    except pa.ArrowInvalid:
        return 0
