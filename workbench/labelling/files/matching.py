"""The posts that the rows of a label file mean."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.tables import Post, PostGroup, PostText
from trainer.reading.rows import Row
from trainer.texts.normalisation import group_key
from workbench.imports.incoming import text_hash


def posts_of(session: Session, rows: Sequence[Row]) -> list[int | None]:
    """The post of each row by id, else by exact text, else by normalised text; None if unknown."""
    by_id = _by_id(session, rows)
    by_hash = _by_hash(session, rows)
    by_key = _by_key(session, rows)

    def find(row: Row) -> int | None:
        if row.id is not None and row.id in by_id:
            return by_id[row.id]
        if not row.text:
            return None
        return by_hash.get(text_hash(row.text)) or by_key.get(group_key(row.text))

    return [find(row) for row in rows]


def texts_by_id(session: Session, rows: Sequence[Row]) -> dict[str, str]:
    """Texts of the known posts with the ids of these rows."""
    texts = select(Post.external_id, PostText.text).join(PostText, PostText.post_id == Post.id)
    ids = {row.id for row in rows if row.id is not None}
    return dict(session.execute(texts.where(Post.external_id.in_(ids))).all())


def _by_id(session: Session, rows: Sequence[Row]) -> dict[str, int]:
    ids = {row.id for row in rows if row.id is not None}
    return dict(session.execute(select(Post.external_id, Post.id).where(Post.external_id.in_(ids))).all())


def _by_hash(session: Session, rows: Sequence[Row]) -> dict[bytes, int]:
    hashes = {text_hash(row.text) for row in rows if row.text}
    query = select(Post.text_hash, func.min(Post.id)).where(Post.text_hash.in_(hashes))
    return dict(session.execute(query.group_by(Post.text_hash)).all())


def _by_key(session: Session, rows: Sequence[Row]) -> dict[bytes, int]:
    keys = {group_key(row.text) for row in rows if row.text}
    query = select(PostGroup.key, func.min(Post.id)).join(Post, Post.group_id == PostGroup.id)
    return dict(session.execute(query.where(PostGroup.key.in_(keys)).group_by(PostGroup.key)).all())
