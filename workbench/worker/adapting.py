"""The job that adapts the base encoder, under a fence: after a kill it goes on where the last checkpoint was."""

import logging
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.tables import Adaptation
from trainer.adapting.card import read_adaptation
from trainer.files import put_in_place
from trainer.messages import Message, MessageError
from workbench.adapting import lifecycle
from workbench.adapting.posts import FILE, draw_posts, write_numbers, write_texts
from workbench.audit import record
from workbench.project import Project
from workbench.worker.attempts import GO, MOST_STEP_ATTEMPTS, Step, SupersededError
from workbench.worker.child import open_log, run_child


@dataclass(frozen=True)
class AdaptingAttempt:
    project: Project
    number: int
    fence: int

    @property
    def log_folder(self) -> Path:
        return lifecycle.log_folder(self.project, self.number)

    @property
    def folder(self) -> Path:
        return lifecycle.work_folder(self.project, self.number)

    def is_wanted(self) -> bool:
        with self.project.database.read() as session:
            return session.scalar(select(Adaptation.number).where(*self._mine())) is not None

    @contextmanager
    def finish(self, **values: object) -> Iterator[Session]:
        """A write transaction that sets `values`. Raises SupersededError if a newer attempt or a lead came first."""
        with self.project.database.write() as session:
            change = update(Adaptation).where(*self._mine()).values(number=Adaptation.number, **values)
            if session.scalars(change.returning(Adaptation.number)).first() is None:
                raise SupersededError
            yield session

    def _mine(self) -> tuple[Any, ...]:
        is_newest = Adaptation.attempt == self.fence
        return (Adaptation.number == self.number, is_newest, Adaptation.is_running)


def adapt(project: Project, number: int) -> str:
    attempt = _begin(project, number)
    work = attempt.folder
    with project.database.read() as session:
        row = session.get_one(Adaptation, number)
    _write_corpus(attempt)
    encoder = work / "encoder"
    if not encoder.is_dir():
        command = ["trainer.adapt", "--corpus", work / "texts.txt", "--base", row.base, "--out", encoder]
        command += ["--checkpoint", work / "checkpoint", "--minutes", row.minutes]
        run_child(attempt, "adapting", command)
    facts = read_adaptation(encoder)
    with attempt.finish() as session:
        session.execute(update(Adaptation).where(Adaptation.is_in_use).values(is_in_use=False))
        result = {"facts": facts, "state": "done", "is_running": False, "is_in_use": True}
        values = result | {"finished_at": project.now()}
        session.execute(update(Adaptation).where(Adaptation.number == number).values(**values))
        record(session, project, None, "put adaptation in use", f"adaptation {number}", base=row.base)
        shutil.copyfile(work / FILE, encoder / FILE)
        put_in_place(encoder, project.base_folder(number))
    shutil.rmtree(work, ignore_errors=True)
    return GO


def adapt_guarded(project: Project, number: int, adapt_step: Step) -> str:
    """Run the job; an error in it ends the adaptation with one message, and the traceback goes to the log."""
    try:
        return adapt_step(project, number)
    except SupersededError:
        sweep(project)
        return "superseded"
    except Exception as error:
        failure = _failure(error)
        with project.database.write() as session:
            row = session.get_one(Adaptation, number)
            lifecycle.fail(session, project, number, row.attempt, failure)
        with suppress(OSError), open_log(lifecycle.log_folder(project, number), "errors") as log:
            log.write(traceback.format_exc())
        sweep(project)
        return "failed"


def sweep(project: Project) -> None:
    """Remove the texts and checkpoints of adaptations that have ended, however they did."""
    with project.database.read() as session:
        row = lifecycle.running(session)
    kept = None if row is None else lifecycle.work_folder(project, row.number)
    for folder in project.models.glob(".base-*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


def _begin(project: Project, number: int) -> AdaptingAttempt:
    """Raises SupersededError if it has ended. After MOST_STEP_ATTEMPTS attempts it is failed first."""
    with project.database.write() as session:
        row = session.get_one(Adaptation, number)
        if not row.is_running:
            raise SupersededError
        row.attempt, row.step_attempts = row.attempt + 1, row.step_attempts + 1
        row.state, row.started_at = "running", row.started_at or project.now()
        if row.step_attempts <= MOST_STEP_ATTEMPTS:
            return AdaptingAttempt(project, number, row.attempt)
        failure = Message(
            "The worker stopped {count} times while it adapted the encoder. See the log.",
            count=MOST_STEP_ATTEMPTS,
        )
        lifecycle.fail(session, project, number, row.attempt, failure)
    raise SupersededError


def _write_corpus(attempt: AdaptingAttempt) -> None:
    """Once: the text that a checkpoint goes on with stays the same, whatever is imported meanwhile."""
    project, work = attempt.project, attempt.folder
    if (work / "texts.txt").exists():
        return
    work.mkdir(mode=0o700, parents=True, exist_ok=True)
    with project.database.read() as session:
        posts, count = draw_posts(session), lifecycle.count_posts(session)
    write_numbers(posts, work / FILE)
    with attempt.finish(posts=count):
        pass
    write_texts(project, posts, work / "texts.txt")


def _failure(error: Exception) -> Message:
    if isinstance(error, MessageError):
        return error.message
    logging.exception("adapting failed")
    return Message("{step} failed: {reason}", step="Adapting", reason=f"{type(error).__name__}: {error}")
