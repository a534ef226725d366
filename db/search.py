"""The search index: which posts hold a term, newest first. All that is particular to SQLite's FTS5 is here.

An entry is a post's terms with blanks between; what a term is, the caller decides. The table keeps neither
texts nor places (`content=''`, `detail=none`), so that it stays smaller than the texts it finds.
"""

from collections.abc import Iterable

from sqlalchemy import (
    Integer,
    Select,
    String,
    TableClause,
    bindparam,
    column,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
)
from sqlalchemy.orm import Session

NAME = "post_search"
_INDEX: TableClause = table(NAME, column("rowid", Integer), column("terms", String))
# The names and sizes of FTS5's own tables beside it.
_ENTRIES = table(f"{NAME}_docsize", column("id", Integer))
_VOCABULARY = table("post_search_terms", column("term", String), column("doc", Integer))


def is_table_of_code(name: str | None, kind: str, _parents: object = None) -> bool:
    """For comparisons of a database with the code's tables: the index is none of these, nor is what it is made of."""
    return kind != "table" or name is None or not name.startswith(NAME)


def matching(terms: Iterable[str], before: int | None = None) -> Select[int]:
    """Numbers of the posts that hold all these terms, newest first, those below `before`."""
    wanted = " AND ".join('"' + term.replace('"', '""') + '"' for term in terms)
    found = (
        select(_INDEX.c.rowid)
        .where(literal_column(NAME).op("MATCH")(bindparam("wanted", wanted)))
        .order_by(_INDEX.c.rowid.desc())
    )
    return found if before is None else found.where(_INDEX.c.rowid < before)


def frequencies(first: str, last: str) -> Select[str, int]:
    """term, number of posts of the terms from `first` up to `last`, the commonest first."""
    return (
        select(_VOCABULARY.c.term, _VOCABULARY.c.doc)
        .where(_VOCABULARY.c.term >= first, _VOCABULARY.c.term < last)
        .order_by(_VOCABULARY.c.doc.desc(), _VOCABULARY.c.term)
    )


def last_indexed(session: Session) -> int:
    """The number of the newest post with an entry, 0 before the first."""
    return session.scalar(select(func.max(_ENTRIES.c.id))) or 0


def add(session: Session, entries: Iterable[tuple[int, str]]) -> None:
    """Enter posts, each with its terms."""
    rows = [{"rowid": post_id, "terms": terms} for post_id, terms in entries]
    if rows:
        session.connection().execute(insert(_INDEX), rows)


def forget(session: Session, post_ids: Iterable[int]) -> None:
    """Take posts out. Their terms stay in the index's files until `settle`."""
    session.connection().execute(delete(_INDEX).where(_INDEX.c.rowid.in_(list(post_ids))))


def settle(session: Session) -> None:
    """Write the index anew without what was taken out: some seconds for a million posts."""
    session.connection().exec_driver_sql(f"INSERT INTO {NAME}({NAME}) VALUES ('optimize')")  # noqa: S608 - our own name
