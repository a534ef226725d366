"""The queue and the splits as rows, for tests."""

from sqlalchemy import select

from db.tables import Post, PostGroup, QueueEntry
from workbench.project import Project


def entries(project: Project, lane: str) -> list[QueueEntry]:
    with project.database.read() as session:
        return list(
            session.scalars(select(QueueEntry).where(QueueEntry.lane == lane).order_by(QueueEntry.position))
        )


def splits(project: Project) -> dict[int, str]:
    with project.database.read() as session:
        return dict(
            session.execute(
                select(Post.id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
            ).all()
        )
