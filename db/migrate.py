"""Upgrades a database, blank or of any older version, to the current schema."""

import shutil
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from db.session import Database, sqlite


class SchemaTooNewError(Exception):
    """The database was written by a newer version of this software."""


def upgrade(database: Database) -> None:
    """Apply missing migrations; an SQLite file is copied first.

    Raises SchemaTooNewError if the database has a revision that this code lacks.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    current, head = revision(database), script.get_current_head()
    if current == head:
        return
    if current is not None:
        if current not in {step.revision for step in script.walk_revisions()}:
            raise SchemaTooNewError(current)
        _keep_copy(database, current)
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _keep_copy(database: Database, current: str) -> None:
    path = database.engine.url.database
    if database.engine.dialect.name != "sqlite" or not path or not Path(path).exists():
        return
    copy = Path(path).with_name(f"{Path(path).name}.before-{current}")
    part = copy.with_suffix(".part")
    with sqlite.connect(path) as source, sqlite.connect(part) as target:
        source.backup(target)
    shutil.move(part, copy)
