"""Migrations lead from blank to the tables of the code, and refuse a database from the future."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from db.migrate import SchemaTooNewError, revision, upgrade
from db.session import Database, open_database
from db.tables import Base


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(tmp_path / "blank.db")


def test_from_blank_they_make_the_tables_of_the_code(database: Database) -> None:
    upgrade(database)
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    upgrade(database)
    before = revision(database)
    upgrade(database)
    assert revision(database) == before


def test_a_newer_database_is_refused(database: Database) -> None:
    upgrade(database)
    with database.write() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = 'from the future'")
    with pytest.raises(SchemaTooNewError, match="from the future"):
        upgrade(database)


@pytest.mark.parametrize("table", ["annotation", "promotion", "audit_entry"])
@pytest.mark.parametrize("event", ["UPDATE", "DELETE"])
def test_history_has_triggers_against_rewriting(database: Database, table: str, event: str) -> None:
    upgrade(database)
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql(
            f"SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}' AND sql LIKE '%BEFORE {event}%'"
        ).scalar()
    assert found is not None


def test_an_audit_entry_cannot_be_changed(database: Database) -> None:
    upgrade(database)
    with database.write() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO audit_entry (at, action, subject, detail) VALUES ('2026-01-01', 'a', 'b', '{}')"
        )
    with pytest.raises(IntegrityError, match="append-only"), database.write() as session:
        session.connection().exec_driver_sql("UPDATE audit_entry SET action = 'c'")
