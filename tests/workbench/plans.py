"""SQLite's query plans."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from workbench.project import Project


def plans_of(project: Project, read: Callable[[Session], object]) -> list[list[str]]:
    seen: list[tuple[str, Any]] = []

    def see(_connection: object, _cursor: object, statement: str, values: Any, *_: object) -> None:
        if statement.startswith("SELECT"):
            seen.append((statement, values))

    event.listen(project.database.engine, "before_cursor_execute", see)
    with project.database.read() as session:
        read(session)
    event.remove(project.database.engine, "before_cursor_execute", see)
    with project.database.engine.connect() as connection:
        return [
            [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
            for statement, values in seen
        ]
