"""Settings are files and variables of the machine, outside the database: each process records those it starts with."""

from typing import Literal

from sqlalchemy import select

from db.tables import AuditEntry
from workbench.audit import record
from workbench.project import Project
from workbench.settings import Settings

IN_FORCE = "settings in force"
Process = Literal["web app", "worker"]


def record_settings(project: Project, process: Process) -> None:
    """Only if they differ from those that the process started with the last time."""
    values = project.settings.model_dump(mode="json")
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
