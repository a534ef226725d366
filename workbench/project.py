"""A project: one folder with `data/`, `models/` and its settings."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import DatabaseError

from db.migrate import SchemaTooNewError, upgrade
from db.session import Database, open_database
from db.tables import Guideline, Label, LabelSet, Person
from trainer.files import new_file
from trainer.labels import LABELS
from workbench import jobs
from workbench.errors import InputError, WorkbenchError
from workbench.names import name_key
from workbench.settings import FILE_NAME, Settings, load_settings

LABEL_SET_ID = 1
FOLDERS = ("data", "models")
PRIVATE = 0o700
"""Mode of a project's folders: posts, and names are for the user who runs the workbench."""
SHORTEST_SECRET = 32
"""Characters."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Project:
    home: Path
    settings: Settings
    database: Database
    now: Callable[[], datetime] = field(default=utc_now)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def demo_mark(self) -> Path:
        """A file that only the demo has: there people choose who they are."""
        return self.data / "demo"

    @property
    def annotations(self) -> Path:
        return self.data / "annotations"

    @property
    def models(self) -> Path:
        return self.home / "models"

    def round_folder(self, number: int) -> Path:
        return self.models / f"round-{number:04d}"

    def base_folder(self, number: int) -> Path:
        """The encoder of an adaptation."""
        return self.models / f"base-{number:04d}"

    def export_folder(self, number: int) -> Path:
        return self.annotations / f"round-{number:04d}"


def init_project(
    home: Path, *, base_model: str = "starter", now: Callable[[], datetime] = utc_now
) -> Project:
    """Create an empty project. Raises InputError if `home` already holds one."""
    if is_project(home):
        raise InputError("{home} already holds a project. Use it, or choose another folder.", home=home)
    home.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    for name in FOLDERS:
        (home / name).mkdir(mode=PRIVATE, exist_ok=True)
    settings_file = home / FILE_NAME
    if not settings_file.exists():
        base = Path(base_model).resolve() if Path(base_model).is_dir() else base_model
        settings_file.touch(mode=0o600)  # it may hold secrets of a sign-in service
        # A JSON string is a TOML string.
        settings_file.write_text(
            f"base_model = {json.dumps(str(base), ensure_ascii=False)}\n", encoding="utf-8"
        )
    project = replace(_connect(home), now=now)
    upgrade(project.database)
    _seed(project)
    return project


def open_project(home: Path) -> Project:
    """Open the project in `home` and migrate its database.

    Raises InputError without a project, WorkbenchError if a newer version wrote the database or it cannot be used.
    """
    if not is_project(home):
        raise InputError(
            "There is no project in {home}. Make one with `workbench init`, or name its folder with --home.",
            home=home.resolve(),
        )
    project = _connect(home)
    try:
        upgrade(project.database)
        _seed(project)
        _name_keys(project)
    except SchemaTooNewError as error:
        raise WorkbenchError(
            "The database in {home} was written by a newer version ({revision}). Update this installation.",
            home=home,
            revision=error,
        ) from error
    except DatabaseError as error:
        is_damaged = any(sign in str(error.orig) for sign in ("not a database", "malformed"))
        file, problem = _database_file(home), error.orig
        if is_damaged:
            raise WorkbenchError(
                "{file} is damaged: {problem}. Put back a backup.", file=file, problem=problem
            ) from error
        raise WorkbenchError(
            "{file} cannot be used now: {problem}. Check that its folder is writable and has space.",
            file=file,
            problem=problem,
        ) from error
    return project


def cookie_secret(project: Project) -> str:
    """The secret that signs cookies. An empty or cut file is replaced: anyone could sign with what is left of it."""
    file = project.data / "cookie.key"
    secret = file.read_text(encoding="ascii", errors="replace").strip() if file.exists() else ""
    if len(secret) >= SHORTEST_SECRET:
        return secret
    with new_file(file) as part:
        part.touch(mode=0o600)
        part.write_text(secrets.token_urlsafe(SHORTEST_SECRET), encoding="ascii")
    return file.read_text(encoding="ascii")


def is_project(home: Path) -> bool:
    return _database_file(home).exists()


def _database_file(home: Path) -> Path:
    return home / "data" / "workbench.db"


def _connect(home: Path) -> Project:
    settings = load_settings(home)
    database = open_database(_database_file(home))
    return Project(home=home.resolve(), settings=settings, database=database)


def _name_keys(project: Project) -> None:
    """People from before names had keys keep their names; of two that look alike, the later one gets a key of its own."""
    with project.database.read() as session:
        if session.scalar(select(Person.id).where(Person.name_key.is_(None)).limit(1)) is None:
            return
    with project.database.write() as session:
        taken = set(session.scalars(select(Person.name_key)))
        for person in session.scalars(select(Person).where(Person.name_key.is_(None)).order_by(Person.id)):
            key = name_key(person.name)
            person.name_key = f"{key}\n{person.id}" if key in taken else key
            taken.add(person.name_key)


def _seed(project: Project) -> None:
    """Create the tables of the job queue and the labels, unless present: also after an interrupted init."""
    with project.database.read() as session:
        if session.get(LabelSet, LABEL_SET_ID) is not None:
            return
    jobs.create_tables(project.database.engine)
    now = project.now()
    with project.database.write() as session:
        session.add(LabelSet(id=LABEL_SET_ID, created_at=now))
        session.add(Guideline(version=1, text="", created_at=now))
        session.flush()
        session.add_all(
            Label(label_set_id=LABEL_SET_ID, name=name, position=position)
            for position, name in enumerate(LABELS)
        )
