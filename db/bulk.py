"""Very many rows at once: the driver takes tuples as they are, where SQLAlchemy wants a dict a row and looks at each."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert

from db.tables import Base


def insert_tuples(
    connection: Connection, table: type[Base], columns: Sequence[str], rows: Sequence[tuple[object, ...]]
) -> None:
    """Insert rows whose values are in the order of `columns` and of the types that the driver knows."""
    if not rows:
        return
    statement = insert(table).compile(dialect=connection.dialect, column_keys=list(columns))
    if list(statement.positiontup or ()) != list(columns):
        raise ValueError(f"columns of {table.__name__} in another order than the table's")
    connection.exec_driver_sql(str(statement), list(rows))
