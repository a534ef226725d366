"""Encoders that were adapted on purged posts: kept, as adapters are, and marked with how many of those they have read."""

from collections.abc import Collection, Iterator

from sqlalchemy import select, update

from db.tables import Adaptation
from workbench.adapting.posts import count_read, forget
from workbench.project import Project


def encoders_with(project: Project, posts: Collection[int]) -> list[int]:
    """Numbers of the adaptations that have read some of these posts."""
    return [number for number, _count in _read(project, posts)]


def mark_encoders(project: Project, posts: Collection[int]) -> list[int]:
    """Count the posts in the rows of the adaptations that have read them, and forget their numbers."""
    marked = []
    for number, count in _read(project, posts):
        # Counted first: after an interruption the count may be too high, never too low.
        with project.database.write() as session:
            row = update(Adaptation).where(Adaptation.number == number)
            session.execute(row.values(purged=Adaptation.purged + count))
        forget(project.base_folder(number), posts)
        marked.append(number)
    return marked


def _read(project: Project, posts: Collection[int]) -> Iterator[tuple[int, int]]:
    with project.database.read() as session:
        numbers = session.scalars(select(Adaptation.number).order_by(Adaptation.number)).all()
    for number in numbers:
        if count := count_read(project.base_folder(number), posts):
            yield number, count
