"""Settings are files and variables of the machine, outside the database: each process records those it starts with."""

import hashlib
from typing import Any, Literal

from pydantic import SecretStr
from sqlalchemy import select

from db.tables import AuditEntry
from workbench.audit import record
from workbench.project import Project, cookie_secret
from workbench.settings import Settings

IN_FORCE = "settings in force"
MARK_BYTES = 8
Process = Literal["web app", "worker"]


def record_settings(project: Project, process: Process) -> None:
    """Only if they differ from those that the process started with the last time."""
    values = _values(project)
    newest = (
        select(AuditEntry.detail)
        .where(AuditEntry.action == IN_FORCE, AuditEntry.subject == process)
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    with project.database.read() as session:
        last = session.scalar(newest)
    before = Settings.model_construct().model_dump(mode="json") if last is None else last["settings"]
    changed = sorted(name for name in values | before if values.get(name) != before.get(name))
    if last is None or changed:  # else a start waits for no writer
        with project.database.write() as session:
            record(session, project, None, IN_FORCE, process, changed=changed, settings=values)


def _values(project: Project) -> dict[str, Any]:
    """The settings, with a mark in place of each secret."""
    settings = project.settings
    secrets = {name: value for name, value in settings if isinstance(value, SecretStr)}
    marks = {name: _mark(project, value) for name, value in secrets.items()}
    return settings.model_dump(mode="json", exclude=set(secrets)) | marks


def _mark(project: Project, secret: SecretStr) -> str:
    """Differs from one secret to another, and is slow to guess even with the project's own secret."""
    salt = cookie_secret(project).encode()
    mark = hashlib.scrypt(secret.get_secret_value().encode(), salt=salt, n=2**14, r=8, p=1, dklen=MARK_BYTES)
    return mark.hex()
