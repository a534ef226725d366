"""The database: one engine, short write transactions, snapshot reads.

SQLite comes from the `pysqlite3` wheel: SQLite 3.7.0 to 3.51.2, which many systems ship, can lose data when
two connections write and checkpoint a WAL at once.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, get_ident
from typing import Any

from pysqlite3 import dbapi2
from sqlalchemy import Column, Connection, Engine, MetaData, NullPool, Table, create_engine, event, insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

sqlite = dbapi2
"""The SQLite driver of this project."""

WAL_SAFE_SINCE = (3, 51, 3)
BUSY_TIMEOUT_MS = 30_000
LOCK_POLL_SECONDS = 0.001
LONGEST_PAUSE_SECONDS = 0.02
"""Twenty times LOCK_POLL_SECONDS: a waiting writer looks for the lock in the meantime."""
WRITE = "BEGIN IMMEDIATE"
BULK_CACHE_KIB = 65_536


class _Turn:
    """Lets one thread of this process write at a time, and wakes the next."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread: int | None = None

    @contextmanager
    def taken(self) -> Iterator[float]:
        """Yields the deadline for SQLite's write lock: both waits share one limit. Raises OperationalError past it."""
        if self._thread == get_ident():
            raise RuntimeError("This thread holds the write lock already: pass its session on.")
        last = time.monotonic() + BUSY_TIMEOUT_MS / 1000
        if not self._lock.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise OperationalError(WRITE, None, sqlite.OperationalError("database is locked"))
        self._thread = get_ident()
        try:
            yield last
        finally:
            self._thread = None
            self._lock.release()


@dataclass(frozen=True)
class Database:
    engine: Engine
    _turn: _Turn = field(default_factory=_Turn, repr=False, compare=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one consistent snapshot, which never waits for writers."""
        with Session(self.engine.execution_options(begin_with="BEGIN"), expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that holds the write lock from its first statement and commits on exit.

        A deferred transaction that reads and then writes fails at once if another connection has written in
        between, regardless of the busy timeout; an immediate one waits. Threads of this process queue here
        and are woken in turn, whereas SQLite polls at intervals of up to 0.1 s.
        """
        with self._turn.taken() as last:
            engine = self.engine.execution_options(begin_with=WRITE, wait_until=last)
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session

    @contextmanager
    def write_staged(self, table: Table, rows: Sequence[Sequence[object]]) -> Iterator[tuple[Session, Table]]:
        """A write session, and a temporary table with the columns of `table` that already holds the rows.

        Copying from it runs in C and holds the write lock for a tenth of the time. Foreign keys are not
        checked in this transaction: the caller joins the rows with the rows that they reference.
        """
        with self.engine.connect() as connection:
            connection.detach()  # closed on exit, with the temporary table and the settings
            staged = Table(f"staged_{table.name}", MetaData(schema="temp"))
            for column in table.columns:
                staged.append_column(Column(column.name, column.type, primary_key=column.primary_key))
            driver: Any = connection.connection.dbapi_connection
            driver.isolation_level = None
            driver.execute("PRAGMA foreign_keys=OFF")
            driver.execute(str(CreateTable(staged).compile(self.engine)))
            # Not immediate, which would lock the database although only the temporary table is written.
            driver.execute("BEGIN")
            driver.executemany(str(insert(staged).compile(self.engine)), rows)
            driver.execute("COMMIT")
            driver.isolation_level = "IMMEDIATE"
            # So many rows fill the WAL, and the commit would checkpoint it before returning.
            driver.execute("PRAGMA wal_autocheckpoint=0")
            with self._turn.taken() as last:
                bind = connection.execution_options(begin_with=WRITE, wait_until=last)
                with Session(bind, expire_on_commit=False) as session, session.begin():
                    yield session, staged
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @contextmanager
    def bulk(self, *, checks_references: bool = True) -> Iterator[Connection]:
        """A separate connection for very many new rows.

        Its commits do not wait for the disk: they survive a crash of the machine only after a later commit of
        `write()`. They do not checkpoint the WAL either: call `checkpoint` afterwards, or the next person who
        saves an answer waits for it.

        Args:
            checks_references: False if rows are added together with all rows that they reference; a tenth less work.
        """
        engine = _engine(self.engine.url.database or "", poolclass=NullPool)
        event.listen(engine, "connect", _configure_bulk)
        if not checks_references:
            event.listen(engine, "connect", _leave_references_unchecked)
        with engine.connect() as connection:
            yield connection

    def dispose(self) -> None:
        self.engine.dispose()


def leave_unsynced(database: Database) -> None:
    """Commits no longer wait for the disk: for a folder that is discarded unless it is finished and synced."""
    event.listen(database.engine, "connect", _configure_unsynced)
    database.engine.dispose()


def open_database(path: Path) -> Database:
    return Database(_engine(str(path)))


def _engine(path: str, **options: Any) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", module=sqlite, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, **options
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    # With autocommit reads and BEGIN IMMEDIATE before the first write, code that does not choose a kind of
    # transaction (the workflow engine shares this engine) still never upgrades a read to a write.
    connection.isolation_level = "IMMEDIATE"
    journal = "WAL" if sqlite.sqlite_version_info >= WAL_SAFE_SINCE else "DELETE"
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        f"journal_mode={journal}",
        "synchronous=FULL",
        "foreign_keys=ON",
        "temp_store=MEMORY",
        "secure_delete=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def checkpoint(connection: Connection) -> None:
    # Passive: it blocks neither readers nor writers.
    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
    connection.rollback()


def _configure_bulk(connection: Any, _record: object) -> None:
    for pragma in (
        "synchronous=NORMAL",
        f"cache_size=-{BULK_CACHE_KIB}",
        "wal_autocheckpoint=0",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _configure_unsynced(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous=OFF")


def _leave_references_unchecked(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys=OFF")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    begin_with = options.get("begin_with")
    if begin_with == WRITE:
        take_write_lock(connection, until=options.get("wait_until"))
    elif begin_with is not None:
        connection.exec_driver_sql(begin_with)


def leave_room(began: float, ended: float | None = None) -> None:
    """After one write of many, pause for as long as it took, LONGEST_PAUSE_SECONDS at most.

    SQLite's lock is not fair: without a gap a tight loop of writes starves the annotators. `began`, `ended`: monotonic;
    work without the lock since `ended` (default: none) counts as part of the pause.
    """
    now = time.monotonic()
    ended = now if ended is None else ended
    time.sleep(max(0.0, min(LONGEST_PAUSE_SECONDS, ended - began) - (now - ended)))


def take_write_lock(connection: Connection, *, until: float | None = None) -> None:
    """Begin a write transaction as soon as the lock is free.

    SQLite's own waiting backs off to ten attempts a second and misses the gaps between the transactions of a
    busy writer. `until` is a monotonic deadline; without it the wait is unlimited, so that work of minutes
    does not fail because of another writer.
    """
    driver: Any = connection.connection.dbapi_connection
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while until is None or time.monotonic() < until:
            try:
                driver.execute(WRITE)
            except sqlite.OperationalError as error:
                if "locked" not in str(error):
                    break
                time.sleep(LOCK_POLL_SECONDS)
            else:
                return
        connection.exec_driver_sql(WRITE)  # raises the usual error
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
