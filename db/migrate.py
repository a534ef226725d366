"""Upgrades a database, blank or of any older version, to the current schema."""

import shutil
from pathlib import Path

from sqlalchemy import inspect, text

from db.session import Database, sqlite

MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaTooNewError(Exception):
    pass


def upgrade(database: Database) -> None:
    """Apply missing migrations; an SQLite file is copied first.

    Raises SchemaTooNewError if the database has a revision that this code lacks.
    """
    current, ours = revision(database), revisions()
    if current == ours[-1]:
        return
    if current is not None:
        if current not in ours:
            raise SchemaTooNewError(current)
        _keep_copy(database, current)
    # Imported here: every command opens the database, and Alembic takes longer to load than most of them run.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def revisions() -> list[str]:
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _keep_copy(database: Database, current: str) -> None:
    path = database.engine.url.database
    if database.engine.dialect.name != "sqlite" or not path or not Path(path).exists():
        return
    copy = Path(path).with_name(f"{Path(path).name}.before-{current}")
    part = copy.with_suffix(".part")
    with sqlite.connect(path) as source, sqlite.connect(part) as target:
        source.backup(target)
    shutil.move(part, copy)
