"""The search index: the posts that contain a term, newest first. All use of SQLite's FTS5 is in this module.

An entry is a post's terms separated by spaces; the caller decides what a term is. The table stores neither
texts nor positions (`content=''`, `detail=none`), so that it stays smaller than the texts.
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
# FTS5's shadow table of entries, and its vocabulary table.
_ENTRIES = table(f"{NAME}_docsize", column("id", Integer))
_VOCABULARY = table("post_search_terms", column("term", String), column("doc", Integer))


def is_table_of_code(name: str | None, kind: str, _parents: object = None) -> bool:
    """Alembic's `include_name`: excludes the index and its shadow tables from schema comparisons."""
    return kind != "table" or name is None or not name.startswith(NAME)


def matching(terms: Iterable[str], before: int | None = None) -> Select[int]:
    wanted = " AND ".join('"' + term.replace('"', '""') + '"' for term in terms)
    posts = (
        select(_INDEX.c.rowid)
        .where(literal_column(NAME).op("MATCH")(bindparam("wanted", wanted)))
        .order_by(_INDEX.c.rowid.desc())
    )
    return posts if before is None else posts.where(_INDEX.c.rowid < before)


def frequencies(first: str, last: str) -> Select[str, int]:
    """(term, number of posts) for terms from `first` up to `last`, exclusive, most frequent first."""
    return (
        select(_VOCABULARY.c.term, _VOCABULARY.c.doc)
        .where(_VOCABULARY.c.term >= first, _VOCABULARY.c.term < last)
        .order_by(_VOCABULARY.c.doc.desc(), _VOCABULARY.c.term)
    )


def last_indexed(session: Session) -> int:
    return session.scalar(select(func.max(_ENTRIES.c.id))) or 0


def add(session: Session, entries: Iterable[tuple[int, str]]) -> None:
    rows = [{"rowid": post_id, "terms": terms} for post_id, terms in entries]
    if rows:
        session.connection().execute(insert(_INDEX), rows)


def forget(session: Session, post_ids: Iterable[int]) -> None:
    """Remove posts. Their terms remain in the index's files until `settle`."""
    session.connection().execute(delete(_INDEX).where(_INDEX.c.rowid.in_(list(post_ids))))


def settle(session: Session) -> None:
    """Rewrite the index without removed posts: some seconds per million posts."""
    session.connection().exec_driver_sql(f"INSERT INTO {NAME}({NAME}) VALUES ('optimize')")  # noqa: S608 - a constant
