"""The posts that an adaptation reads: those of the pool, never those of validation, test and audit."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.queries.standing import is_of_pool
from db.tables import Post, PostGroup, PostText
from trainer.chunks import in_chunks
from trainer.files import new_file
from workbench.project import Project

MOST_POSTS = 500_000
"""Drawn at random from a larger pool: more than a day of one core reads in."""
SEED = 20_260_105
FILE = "posts.parquet"
"""Beside the encoder: the numbers of the posts that it has read, so that a purge can count them."""

Numbers = NDArray[np.int64]


def count_pool(session: Session) -> int:
    return session.scalar(_pool(func.count())) or 0


def draw_posts(session: Session) -> Numbers:
    """(n,) numbers of posts, ascending."""
    numbers = np.fromiter(session.scalars(_pool(Post.id).order_by(Post.id)), dtype=np.int64)
    if len(numbers) <= MOST_POSTS:
        return numbers
    return np.sort(np.random.default_rng(SEED).choice(numbers, MOST_POSTS, replace=False))


def write_texts(project: Project, posts: Numbers, file: Path) -> None:
    """One text a line, in a file for this user alone."""
    with new_file(file) as part:
        part.touch(mode=0o600)
        with part.open("w", encoding="utf-8", errors="replace", newline="\n") as lines:
            lines.writelines(f"{' '.join(text.split())}\n" for text in _texts(project, posts))


def write_numbers(posts: Numbers, file: Path) -> None:
    with new_file(file) as part:
        pq.write_table(pa.table({"id": posts}), part)


def count_read(folder: Path, posts: Collection[int]) -> int:
    return int(np.isin(_numbers(folder), list(posts)).sum())


def forget(folder: Path, posts: Collection[int]) -> int:
    """Remove purged posts from the list; returns how many were on it."""
    numbers = _numbers(folder)
    is_gone = np.isin(numbers, list(posts))
    if is_gone.any():
        write_numbers(numbers[~is_gone], folder / FILE)
    return int(is_gone.sum())


def _numbers(folder: Path) -> Numbers:
    file = folder / FILE
    if not file.exists():
        return np.empty(0, dtype=np.int64)
    numbers: Numbers = pq.read_table(file)["id"].to_numpy()
    return numbers


def _pool(*columns: object) -> Select[int]:
    query: Select[int] = select(*columns)  # type: ignore[call-overload]
    return (
        query.select_from(Post)
        .join(PostGroup, PostGroup.id == Post.group_id)
        .where(is_of_pool(), Post.is_quarantined.is_(False))
    )


def _texts(project: Project, posts: Numbers) -> Iterator[str]:
    for some in in_chunks(posts.tolist(), IDS_AT_ONCE):
        query = select(PostText.text).where(PostText.post_id.in_(some)).order_by(PostText.post_id)
        with project.database.read() as session:
            texts = session.scalars(query).all()
        yield from texts
