"""What waits for the worker: posts to prepare, to index or to score, and a cold queue that has become old."""

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
"""New labels after which the simple model of a cold queue learns again."""


def is_work_left(session: Session, project: Project) -> bool:
    """Posts wait to be grouped, or grouped ones to be found by search or scored by the adapter in use."""
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
    """When the queue was filled, if before the first round and enough was labelled since to learn again."""
    state = session.get(QueueState, 1)
    if state is None or state.round_number is not None:
        return None
    since = labelled_since(state.built_at).subquery()
    count = session.scalar(select(func.count()).select_from(since)) or 0
    return state.built_at if count >= COLD_AGAIN else None


def due_file(project: Project) -> Path:
    """Exists while posts wait for the queue to be filled again, also after the process that filled it was killed."""
    return project.data / "queue.due"
