"""The database: one engine, short write transactions, snapshot reads.

SQLite comes from the `pysqlite3` wheel, because SQLite 3.7.0 to 3.51.2 can lose data when two
connections write and checkpoint a WAL together, and many systems ship such a version.
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
"""The SQLite that everything here goes through."""

WAL_SAFE_SINCE = (3, 51, 3)
BUSY_TIMEOUT_MS = 30_000
LOCK_POLL_SECONDS = 0.001
WRITE = "BEGIN IMMEDIATE"
BULK_CACHE_KIB = 65_536


class _Turn:
    """One thread of this process writes at a time; the next one is woken."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread: int | None = None

    @contextmanager
    def taken(self) -> Iterator[float]:
        """Yields the moment until which the write lock may be waited for: both waits share one limit."""
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
    """One project's database; hands out sessions whose transactions start the right way."""

    engine: Engine
    _turn: _Turn = field(default_factory=_Turn, repr=False, compare=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one consistent snapshot. It never waits for writers."""
        with Session(self.engine.execution_options(begin_with="BEGIN"), expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session that holds the write lock from its first statement and commits on leaving.

        A deferred transaction that reads and then writes fails at once when somebody else wrote in
        between, whatever the busy timeout; one that begins immediate waits its turn instead. Threads of one
        process wait here, where the next one is woken: SQLite only looks again from time to time, up to 0.1 s apart.
        """
        with self._turn.taken() as last:
            engine = self.engine.execution_options(begin_with=WRITE, wait_until=last)
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session

    @contextmanager
    def write_staged(self, table: Table, rows: Sequence[Sequence[object]]) -> Iterator[tuple[Session, Table]]:
        """A write session, and a table of its own that holds the rows already, in the columns of `table`.

        To fill a table in C, in a tenth of the time that people then wait for the lock. Foreign keys are not checked
        in this transaction: whoever copies the rows joins them with what they refer to.
        """
        with self.engine.connect() as connection:
            connection.detach()  # closed afterwards: neither the table nor the setting outlives this
            staged = Table(f"staged_{table.name}", MetaData(schema="temp"))
            for column in table.columns:
                staged.append_column(Column(column.name, column.type, primary_key=column.primary_key))
            driver: Any = connection.connection.dbapi_connection
            driver.isolation_level = None
            driver.execute("PRAGMA foreign_keys=OFF")
            driver.execute(str(CreateTable(staged).compile(self.engine)))
            # Not immediate: that would lock the database, though nothing but the temporary table is written.
            driver.execute("BEGIN")
            driver.executemany(str(insert(staged).compile(self.engine)), rows)
            driver.execute("COMMIT")
            driver.isolation_level = "IMMEDIATE"
            # So many rows fill the journal, and the commit would write it home before it returns.
            driver.execute("PRAGMA wal_autocheckpoint=0")
            with self._turn.taken() as last:
                bind = connection.execution_options(begin_with=WRITE, wait_until=last)
                with Session(bind, expire_on_commit=False) as session, session.begin():
                    yield session, staged
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)")

    @contextmanager
    def bulk(self, *, checks_references: bool = True) -> Iterator[Connection]:
        """A connection of its own for very many new rows.

        A commit waits for no disk: what it wrote survives a crash of the machine only once `write()` has
        committed after it. Nor does it write the journal home: call `checkpoint` after it, or the next person
        who saves an answer does so and waits.

        Args:
            checks_references: False for whoever adds rows together with what they refer to; a tenth less work.
        """
        engine = _engine(self.engine.url.database or "", poolclass=NullPool)
        event.listen(engine, "connect", _configure_bulk)
        if not checks_references:
            event.listen(engine, "connect", _leave_references_unchecked)
        with engine.connect() as connection:
            yield connection

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def open_database(path: Path) -> Database:
    """Connect to an SQLite file. Does not create tables: `db.migrate` does."""
    return Database(_engine(str(path)))


def _engine(path: str, **options: Any) -> Engine:
    engine = create_engine(
        f"sqlite:///{path}", module=sqlite, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000}, **options
    )
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    # With autocommit reads and BEGIN IMMEDIATE before the first write, code that does not ask for
    # a kind of transaction (the workflow engine shares this engine) still never upgrades a read.
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
    """Write home what the journal holds. Nobody waits for it: neither readers nor who wants the write lock."""
    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
    connection.rollback()


def _configure_bulk(connection: Any, _record: object) -> None:
    for pragma in (
        "synchronous=NORMAL",
        f"cache_size=-{BULK_CACHE_KIB}",
        "wal_autocheckpoint=0",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _leave_references_unchecked(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys=OFF")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    begin_with = options.get("begin_with")
    if begin_with == WRITE:
        take_write_lock(connection, until=options.get("wait_until"))
    elif begin_with is not None:
        connection.exec_driver_sql(begin_with)


def take_write_lock(connection: Connection, *, until: float | None = None) -> None:
    """Begin a write transaction as soon as the lock is free.

    SQLite's own waiting asks ever more seldom, in the end ten times a second, and so misses the gaps that somebody
    who writes much leaves for others. `until`: the moment (monotonic) to give up; without it, never: what writes
    for minutes does not end because somebody else holds the lock for one.
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
        connection.exec_driver_sql(WRITE)  # for the error that callers know
    finally:
        driver.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
