"""Attempts at a step of a round, with a fence: only the newest attempt can commit its result."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.tables import Round
from trainer.messages import Message
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.rounds.durations import worked_until

MOST_STEP_ATTEMPTS = 3
GO = "go"
Step = Callable[[Project, int], str]
"""Takes the number of a round; returns GO, or the state in which the round stops."""


class SupersededError(Exception):
    """The round is over, or has a newer attempt."""


@dataclass(frozen=True)
class Attempt:
    """`fence` is the value of `Round.attempt` that this attempt set."""

    project: Project
    number: int
    fence: int

    @property
    def folder(self) -> Path:
        return self.project.models / f".round-{self.number:04d}-attempt-{self.fence}"

    @property
    def log_folder(self) -> Path:
        return lifecycle.log_folder(self.project, self.number)

    def is_wanted(self) -> bool:
        with self.project.database.read() as session:
            return session.scalar(select(Round.number).where(*self._mine())) is not None

    @contextmanager
    def finish(
        self, within: AbstractContextManager[Session] | None = None, **values: object
    ) -> Iterator[Session]:
        """A write transaction, `within` if given, that sets `values` on the round.

        Raises SupersededError if this is no longer the newest attempt of a running round.
        """
        with within or self.project.database.write() as session:
            worked = worked_until(session.get_one(Round, self.number), self.project.now())
            change = (
                update(Round).where(*self._mine()).values(worked_seconds=worked, step_began_at=None, **values)
            )
            if session.scalars(change.returning(Round.number)).first() is None:
                raise SupersededError
            yield session

    def _mine(self) -> tuple[Any, ...]:
        return (Round.number == self.number, Round.attempt == self.fence, Round.is_running)


def begin(project: Project, number: int, state: str, *, serves_promotion: bool = False) -> Attempt:
    """Start a new attempt at the step `state`.

    `serves_promotion`: the step also belongs to the later promotion of a settled round. Any other step is over by
    then; repeated after a crash, it would undo the lead's decision. Raises SupersededError if the step is over. After MOST_STEP_ATTEMPTS attempts at this step it fails the round first.
    """
    with project.database.write() as session:
        row = session.get_one(Round, number)
        if not row.is_running or (row.state_before is not None and not serves_promotion):
            raise SupersededError
        sweep_attempts(project, number)
        row.step_attempts = row.step_attempts + 1 if row.state == state else 1
        row.attempt += 1
        row.state = state
        row.step_began_at = project.now()
        row.started_at = row.started_at or row.step_began_at
        if row.step_attempts <= MOST_STEP_ATTEMPTS:
            return Attempt(project, number, row.attempt)
        lifecycle.fail(
            session,
            project,
            number,
            row.attempt,
            Message(
                "The worker stopped {count} times while {state}. See the log.",
                count=MOST_STEP_ATTEMPTS,
                state=state,
            ),
        )
    raise SupersededError


def sweep_attempts(project: Project, number: int) -> None:
    for folder in project.models.glob(f".round-{number:04d}-attempt-*"):
        shutil.rmtree(folder, ignore_errors=True)
