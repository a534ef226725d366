"""Bulk inserts as tuples, which the driver takes directly; SQLAlchemy would build and check one dict per row."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert

from db.tables import Base

IDS_AT_ONCE = 500
"""Of a list in an IN: each is a variable of the statement."""


def insert_tuples(
    connection: Connection, table: type[Base], columns: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> None:
    """Values are in the order of `columns`, which is that of the table, and of types that the driver supports.

    Raises ValueError for another order.
    """
    if not rows:
        return
    statement = insert(table).compile(dialect=connection.dialect, column_keys=list(columns))
    if list(statement.positiontup or ()) != list(columns):
        raise ValueError(f"columns of {table.__name__} in another order than the table's")
    connection.exec_driver_sql(str(statement), list(rows))
