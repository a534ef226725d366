"""Settings are files and variables of the machine, outside the database: each process records those it starts with."""

import hashlib
from typing import Any, Literal

from sqlalchemy import select

from db.tables import AuditEntry
from workbench.audit import record
from workbench.project import Project, cookie_secret
from workbench.settings import Settings

IN_FORCE = "settings in force"
Process = Literal["web app", "worker"]
MARK_BYTES = 8


def record_settings(project: Project, process: Process) -> None:
    """Only if they differ from those that the process started with the last time."""
    values = {**_values(project.settings), "passphrase": _mark_of_passphrase(project)}
    newest = (
        select(AuditEntry.detail)
        .where(AuditEntry.action == IN_FORCE, AuditEntry.subject == process)
        .order_by(AuditEntry.id.desc())
        .limit(1)
    )
    with project.database.read() as session:
        last = session.scalar(newest)
    before = _defaults() if last is None else last["settings"]
    changed = sorted(name for name in values | before if values.get(name) != before.get(name))
    if last is None or changed:  # else a start waits for no writer
        with project.database.write() as session:
            record(session, project, None, IN_FORCE, process, changed=changed, settings=values)


def _values(settings: Settings) -> dict[str, Any]:
    return settings.model_dump(mode="json", exclude={"passphrase"})


def _defaults() -> dict[str, Any]:
    return {**_values(Settings.model_construct()), "passphrase": None}


def _mark_of_passphrase(project: Project) -> str | None:
    """Differs from one passphrase to another, and is slow to guess even with the project's secret."""
    passphrase = project.settings.passphrase
    if passphrase is None:
        return None
    secret = cookie_secret(project).encode()
    key = hashlib.scrypt(
        passphrase.get_secret_value().encode(), salt=secret, n=2**14, r=8, p=1, dklen=MARK_BYTES
    )
    return key.hex()
