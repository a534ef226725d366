"""The database is opened safely, and transactions start with the right kind of lock."""

import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

import db.session
from db.session import WAL_SAFE_SINCE, Database, leave_unsynced, open_database, sqlite


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = open_database(tmp_path / "some.db")
    with database.write() as session:
        session.execute(text("CREATE TABLE counter (n INTEGER)"))
        session.execute(text("INSERT INTO counter VALUES (0)"))
    return database


def test_sqlite_does_not_lose_wal_writes() -> None:
    assert sqlite.sqlite_version_info >= WAL_SAFE_SINCE


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("foreign_keys", 1),
        ("busy_timeout", 30_000),
        ("secure_delete", 1),
    ],
)
def test_every_connection_is_configured(database: Database, pragma: str, value: object) -> None:
    with database.read() as session:
        assert session.execute(text(f"PRAGMA {pragma}")).scalar() == value


def test_read_then_write_by_many_loses_no_update(database: Database) -> None:
    start = threading.Barrier(8)

    def add_ten() -> None:
        start.wait()
        for _ in range(10):
            with database.write() as session:
                n = session.execute(text("SELECT n FROM counter")).scalar_one()
                session.execute(text("UPDATE counter SET n = :n"), {"n": n + 1})

    threads = [threading.Thread(target=add_ten) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.execute(text("SELECT n FROM counter")).scalar() == 80


def test_a_reader_sees_one_snapshot_and_waits_for_nobody(database: Database) -> None:
    with database.read() as reader:
        assert reader.execute(text("SELECT n FROM counter")).scalar() == 0
        with database.write() as writer:
            writer.execute(text("UPDATE counter SET n = 5"))
        assert reader.execute(text("SELECT n FROM counter")).scalar() == 0
    with database.read() as reader:
        assert reader.execute(text("SELECT n FROM counter")).scalar() == 5


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    def fail_half_way() -> None:
        with database.write() as session:
            session.execute(text("UPDATE counter SET n = 9"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    with database.read() as session:
        assert session.execute(text("SELECT n FROM counter")).scalar() == 0


def test_threads_of_one_process_wait_for_each_other_before_they_come_to_sqlite(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled: list[float] = []
    monkeypatch.setattr(time, "sleep", polled.append)
    start = threading.Barrier(4)

    def add_ten() -> None:
        start.wait()
        for _ in range(10):
            with database.write() as session:
                session.execute(text("UPDATE counter SET n = n + 1"))

    threads = [threading.Thread(target=add_ten) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert polled == []
    with database.read() as session:
        assert session.execute(text("SELECT n FROM counter")).scalar() == 40


@pytest.mark.parametrize(
    ("pragma", "value", "elsewhere"), [("synchronous", 1, 2), ("wal_autocheckpoint", 0, 1_000)]
)
def test_what_is_set_for_very_many_rows_is_set_for_them_alone(
    database: Database, pragma: str, value: int, elsewhere: int
) -> None:
    with database.bulk() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        with database.read() as session:
            assert session.execute(text(f"PRAGMA {pragma}")).scalar() == elsewhere
    with database.read() as session:
        assert session.execute(text(f"PRAGMA {pragma}")).scalar() == elsewhere


def test_commits_wait_for_the_disk_until_the_database_is_unsynced(database: Database) -> None:
    pragma = text("PRAGMA synchronous")
    with database.read() as session:
        assert session.scalar(pragma) == 2
    leave_unsynced(database)
    with database.read() as session:
        assert session.scalar(pragma) == 0


def test_references_go_unchecked_only_where_asked(database: Database) -> None:
    with database.bulk(checks_references=False) as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 0
    with database.read() as session:
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_who_waits_too_long_for_the_write_lock_is_told_and_can_write_later(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_database(tmp_path / "some.db").write() as holder:
        holder.execute(text("SELECT 1"))
        monkeypatch.setattr(db.session, "BUSY_TIMEOUT_MS", 20)
        with pytest.raises(OperationalError, match="locked"), database.write() as session:
            session.execute(text("SELECT 1"))
        monkeypatch.undo()
    with database.write() as session:
        session.execute(text("UPDATE counter SET n = 1"))
    with database.read() as session:
        assert session.execute(text("SELECT n FROM counter")).scalar() == 1


def test_who_waits_too_long_for_their_turn_is_told_as_well(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def write() -> None:
        try:
            with database.write() as session:
                session.execute(text("UPDATE counter SET n = 9"))
        except OperationalError as error:
            told.append(str(error))

    with database.write():
        monkeypatch.setattr(db.session, "BUSY_TIMEOUT_MS", 20)
        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        thread.join(20)
        assert len(told) == 1
        assert "locked" in told[0]


def test_a_thread_that_asks_for_the_write_lock_it_holds_is_told_at_once(database: Database) -> None:
    holds = pytest.raises(RuntimeError, match="holds the write lock already")
    with database.write(), holds, database.write():
        pass
    with database.write() as session:
        session.execute(text("UPDATE counter SET n = 1"))


@pytest.mark.parametrize(
    ("began", "ended", "pause"),
    [
        (99.99, None, 0.01),
        (90.0, None, 0.02),
        (99.97, 99.98, 0.0),
        (99.98, 99.995, 0.01),
        (90.0, 99.995, 0.015),
    ],
)
def test_a_write_is_followed_by_a_pause_as_long_as_it_but_not_longer_than_is_needed(
    monkeypatch: pytest.MonkeyPatch, began: float, ended: float | None, pause: float
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(db.session, "time", SimpleNamespace(monotonic=lambda: 100.0, sleep=slept.append))
    db.session.leave_room(began, ended)
    assert slept == [pytest.approx(pause)]


def test_who_writes_very_much_waits_for_the_lock_as_long_as_it_takes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db.session, "BUSY_TIMEOUT_MS", 0)
    waits = threading.Event()
    sleep = time.sleep

    def tell_and_sleep(seconds: float) -> None:
        waits.set()
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", tell_and_sleep)

    def insert() -> None:
        with database.bulk() as connection:
            db.session.take_write_lock(connection)
            connection.exec_driver_sql("UPDATE counter SET n = n + 1")
            connection.commit()

    thread = threading.Thread(target=insert)
    with database.write() as holder:
        holder.execute(text("UPDATE counter SET n = 5"))
        thread.start()
        assert waits.wait(20)
    thread.join()
    with database.read() as session:
        assert session.execute(text("SELECT n FROM counter")).scalar() == 6
