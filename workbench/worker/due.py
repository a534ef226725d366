"""Work that waits for the worker: posts to prepare, index or score, and an outdated cold queue."""

from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.standing import labelled_since
from db.tables import Import, Post, QueueState
from workbench.imports import search_index
from workbench.project import Project
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import RoundScores

COLD_AGAIN = 25
"""New labels after which the simple model of the cold queue is retrained."""


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


def old_cold_queue(session: Session) -> datetime | None:
    """When the queue was built, None unless it precedes the first round and COLD_AGAIN labels are newer."""
    state = session.get(QueueState, 1)
    if state is None or state.round_number is not None:
        return None
    since = labelled_since(state.built_at).subquery()
    count = session.scalar(select(func.count()).select_from(since)) or 0
    return state.built_at if count >= COLD_AGAIN else None


def due_file(project: Project) -> Path:
    """Exists until the queue is rebuilt after an import, also if the process is killed before that."""
    return project.data / "queue.due"
