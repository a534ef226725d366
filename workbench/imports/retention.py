"""Unreadable rows are kept for a limited time: they hold names and texts, and nothing needs them after the file is mended."""

import time
from datetime import timedelta

from sqlalchemy import delete, exists, func, select, tuple_

from db.session import leave_room
from db.tables import Import, RejectedRow
from workbench.audit import record
from workbench.project import Project

ROWS_AT_ONCE = 250
"""Rows deleted per transaction, which holds the write lock for about 10 ms."""


def forget_old_rejects(project: Project) -> int:
    """Returns the number of rows deleted. The counts of the imports stay."""
    days, count, last_import = project.settings.rejects_kept_days, 0, None
    while days and (rows := _old_rows(project, days)):
        began, (number, _line) = time.monotonic(), rows[0]
        with project.database.write() as session:
            if number != last_import:  # an interrupted run is followed by another entry, with the rest
                left = session.scalar(select(func.count()).where(RejectedRow.import_id == number))
                record(
                    session, project, None, "delete unreadable rows", f"import {number}", rows=left, days=days
                )
                last_import = number
            session.execute(
                delete(RejectedRow).where(tuple_(RejectedRow.import_id, RejectedRow.line).in_(rows))
            )
        count += len(rows)
        leave_room(began)
    return count


def _old_rows(project: Project, days: int) -> list[tuple[int, int]]:
    is_old = Import.started_at < project.now() - timedelta(days=days)
    has_rows = exists().where(RejectedRow.import_id == Import.id)
    with project.database.read() as session:
        number = session.scalar(select(Import.id).where(is_old, has_rows).limit(1))
        lines = select(RejectedRow.line).where(RejectedRow.import_id == number).limit(ROWS_AT_ONCE)
        return [] if number is None else [(number, line) for line in session.scalars(lines)]
