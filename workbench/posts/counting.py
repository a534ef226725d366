"""Counts of posts by state, without a scan of the post table."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.tables import Import, Post
from trainer.files import write_text
from workbench.project import Project


@dataclass(frozen=True)
class SetAside:
    """`posts` quarantined posts up to number `up_to`. All posts up to it are prepared, so the count is final."""

    posts: int
    up_to: int


NONE_SET_ASIDE = SetAside(0, 0)


def count_posts(session: Session) -> int:
    finished = Import.state.in_(("stored", "prepared"))
    return session.scalar(select(func.sum(Import.accepted)).where(finished)) or 0


def count_preparing(session: Session) -> int:
    without_group = select(func.count()).select_from(Post).where(Post.group_id.is_(None))
    waiting = select(func.sum(Import.waiting)).where(Import.waiting > 0)
    return (session.scalar(without_group) or 0) + (session.scalar(waiting) or 0)


def count_quarantined(session: Session, project: Project) -> int:
    counted = _saved_set_aside(project)
    since = select(func.count()).select_from(Post).where(Post.is_quarantined, Post.id > counted.up_to)
    return counted.posts + (session.scalar(since) or 0)


def count_set_aside(session: Session) -> SetAside:
    first_waiting = session.scalar(select(func.min(Post.id)).where(Post.group_id.is_(None)))
    last = session.scalar(select(func.max(Post.id))) or 0
    up_to = last if first_waiting is None else first_waiting - 1
    set_aside = select(func.count()).select_from(Post).where(Post.is_quarantined, Post.id <= up_to)
    return SetAside(session.scalar(set_aside) or 0, up_to)


def save_set_aside(project: Project, set_aside: SetAside) -> None:
    write_text(set_aside_file(project), json.dumps(asdict(set_aside)))


def set_aside_file(project: Project) -> Path:
    return project.data / "set-aside.json"


def _saved_set_aside(project: Project) -> SetAside:
    try:
        return SetAside(**json.loads(set_aside_file(project).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # not saved yet
        return NONE_SET_ASIDE
