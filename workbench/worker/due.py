"""Work that waits for the worker: posts to prepare, index or score."""

from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.tables import Import, Post
from workbench.imports import search_index
from workbench.project import Project
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores


def is_work_left(session: Session, project: Project) -> bool:
    if session.scalar(select(Import.id).where(Import.state == "stored").limit(1)) is not None:
        return True
    if search_index.is_behind(session) or due_file(project).exists():
        return True
    champion = champion_number(session)
    newest = session.scalar(select(func.max(Post.id)).where(Post.group_id.is_not(None)))
    if champion is None or newest is None:
        return False
    return RoundScores.of(project, champion).last_scored() < newest


def due_file(project: Project) -> Path:
    """Exists until the queue is rebuilt after an import, also if the process is killed before that."""
    return project.data / "queue.due"
