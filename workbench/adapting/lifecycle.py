"""Adapting the base encoder to the project's posts: started, cancelled, turned off, and looked at.

The work itself runs in `worker/adapting.py`. A new adaptation always begins from the encoder of the settings, never from
an adapted one, so that it holds nothing of posts that were purged since.
"""

import shutil
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from db.queries.rounds import adaptations
from db.tables import Adaptation, Import, Person, Round
from trainer.messages import Message
from trainer.running.progress import read_lines
from workbench import jobs
from workbench.accounts import Account, Right, acting
from workbench.adapting.posts import count_pool
from workbench.audit import record
from workbench.errors import InputError, RoundError
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.rounds.base import adaptation_in_use

FEWEST_POSTS = 200
MINUTES = 7.0
MOST_MINUTES = 24 * 60
ENDED = frozenset({"done", "failed", "cancelled"})
GROWN = 1.5
"""Growth of the posts since the newest adaptation at which another one is offered."""


class Offer(StrEnum):
    """Occasions to adapt: before the first round; many new posts; a purge of posts that the encoder in use has read."""

    FIRST = "first"
    GROWN = "grown"
    PURGED = "purged"


@dataclass(frozen=True)
class Progress:
    """Seconds of training."""

    done: int
    total: int | None
    seconds_left: float | None

    @property
    def share(self) -> float | None:
        return min(1.0, self.done / self.total) if self.total else None


def start(project: Project, account: Account, minutes: float = MINUTES) -> int:
    """Queue an adaptation; returns its number.

    Raises InputError for a time that makes no sense, RoundError while a round or another adaptation runs, or if the
    pool has too few posts.
    """
    if not (isfinite(minutes) and 0 < minutes <= MOST_MINUTES):
        raise InputError(
            "{minutes} minutes make no sense. Give a number above 0, at most {most}.",
            minutes=f"{minutes:g}",
            most=MOST_MINUTES,
        )
    try:
        with acting(project, account, Right.RUN_ROUNDS) as session:
            lifecycle.refuse_second(session)
            _refuse_few_posts(session)
            last = newest(session)
            row = Adaptation(
                number=(last.number if last else 0) + 1,
                state="queued",
                is_running=True,
                base=project.settings.base_model,
                minutes=minutes,
                created_at=project.now(),
                started_by_id=account.id,
            )
            session.add(row)
            session.flush()
            record(
                session,
                project,
                account.id,
                "start adaptation",
                _subject(row.number),
                minutes=minutes,
                base=row.base,
            )
            engine = project.database.engine
            jobs.enqueue(engine, session, jobs.Job.ADAPT, row.number, job_id=f"adapt-{row.number}")
            return row.number
    except IntegrityError as error:
        raise RoundError(
            "Another lead has just begun to adapt the base encoder. Wait until it is."
        ) from error


def cancel(project: Project, account: Account, number: int | None = None) -> int:
    """Stop the running adaptation, or that of this number; returns its number. What it has learned is discarded.

    Raises RoundError if it is not running.
    """
    with acting(project, account, Right.RUN_ROUNDS) as session:
        row = running(session)
        if row is None or number not in {None, row.number}:
            raise RoundError("The base encoder is not being adapted.")
        row.attempt += 1
        row.is_running, row.state, row.finished_at = False, "cancelled", project.now()
        record(session, project, account.id, "cancel adaptation", _subject(row.number))
        cancelled = row.number
    if not lifecycle.is_worker_running(project):
        shutil.rmtree(work_folder(project, cancelled), ignore_errors=True)
    return cancelled


def turn_off(project: Project, account: Account) -> int:
    """Later rounds train on the encoder of the settings again; returns the number of the adaptation.

    The encoder stays on the disk for the rounds that were trained on it. Raises RoundError if none is in use.
    """
    with acting(project, account, Right.RUN_ROUNDS) as session:
        row = session.scalar(adaptations().where(Adaptation.is_in_use))
        if row is None:
            raise RoundError("No adapted encoder is in use: the next round trains on the original one.")
        row.is_in_use = False
        record(session, project, account.id, "turn off adaptation", _subject(row.number))
        return row.number


def fail(session: Session, project: Project, number: int, attempt: int, failure: Message) -> None:
    """End an adaptation with a failure, unless its attempt has been superseded."""
    changed = session.scalars(
        update(Adaptation)
        .where(Adaptation.number == number, Adaptation.attempt == attempt, Adaptation.is_running)
        .values(state="failed", is_running=False, failure=failure.to_dict(), finished_at=project.now())
        .returning(Adaptation.number)
    )
    if changed.first() is not None:
        record(session, project, None, "adaptation failed", _subject(number))


def running(session: Session) -> Adaptation | None:
    return session.scalar(select(Adaptation).where(Adaptation.is_running))


def newest(session: Session) -> Adaptation | None:
    return session.scalar(adaptations().limit(1))


def offer(project: Project, session: Session) -> Offer | None:
    """Whether an adaptation is offered to the leads, and why. Cheap: posts are counted by their imports."""
    posts = count_posts(session)
    if posts < FEWEST_POSTS:
        return None
    in_use = adaptation_in_use(project, session)
    if in_use is not None and in_use.purged:
        return Offer.PURGED
    last = session.scalar(adaptations().where(Adaptation.state == "done").limit(1))
    if last is not None:
        return Offer.GROWN if posts >= GROWN * (last.posts or 0) else None
    return Offer.FIRST if session.scalar(select(Round.number).limit(1)) is None else None


def count_posts(session: Session) -> int:
    return session.scalar(select(func.sum(Import.accepted))) or 0


def describe(project: Project, session: Session, row: Adaptation) -> dict[str, Any]:
    """An adaptation for `workbench adapt --json`; the keys are part of the command's interface."""
    starter = session.get(Person, row.started_by_id)
    return {
        "number": row.number,
        "state": row.state,
        "in_use": row.is_in_use,
        "base": row.base,
        "minutes": row.minutes,
        "posts": row.posts,
        "purged": row.purged,
        "facts": row.facts,
        "failure": None if row.failure is None else str(Message.from_dict(row.failure)),
        "started_by": starter.name if starter else None,
        "created_at": row.created_at.isoformat(),
        "finished_at": row.finished_at.isoformat() if row.finished_at else None,
        "folder": str(project.base_folder(row.number)) if row.state == "done" else None,
    }


def work_folder(project: Project, number: int) -> Path:
    """Texts and checkpoint while an adaptation runs."""
    return project.models / f".base-{number:04d}"


def log_folder(project: Project, number: int) -> Path:
    return project.data / "logs" / f"base-{number:04d}"


def read_progress(project: Project, number: int) -> Progress:
    lines = read_lines(log_folder(project, number) / "adapting.jsonl")
    last: dict[str, Any] = next((line for line in reversed(lines) if "steps" in line), {})
    return Progress(last.get("step", 0), last.get("steps"), last.get("seconds_left"))


def _subject(number: int) -> str:
    return f"adaptation {number}"


def _refuse_few_posts(session: Session) -> None:
    pool = count_pool(session)
    if pool < FEWEST_POSTS:
        raise RoundError(
            "Adapting needs at least {fewest} posts to read, without those held out; there are {count}. Import more first.",
            fewest=FEWEST_POSTS,
            count=pool,
        )
