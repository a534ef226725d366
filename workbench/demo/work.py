"""The worker's jobs, done at once in this process on the demo's clock.

A round's steps are those of the worker; training and scoring come from outside, as they are either real
(`history`) or shipped (`shipped`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from db.tables import Round
from trainer.adapters.card import read_card
from trainer.messages import Message
from workbench import jobs
from workbench.demo.clock import Clock
from workbench.errors import WorkbenchError
from workbench.imports.preparing import prepare
from workbench.project import Project
from workbench.queue import strata, swap
from workbench.rounds import lifecycle
from workbench.rounds.champion import champion_number
from workbench.worker.attempts import GO
from workbench.worker.failures import guarded
from workbench.worker.promoting import promote_with
from workbench.worker.steps import export, judge, weigh

Step = Callable[[Project, int], str]
EVALUATION_SECONDS = 12.0
OTHER_SECONDS = 1.0


@dataclass(frozen=True)
class Made:
    """What a round needs from a model; `add_scores` scores the posts that the round has not scored yet."""

    train: Step
    evaluate: Step
    score: Step
    add_scores: Callable[[Project, int], None]


@dataclass(frozen=True)
class Work:
    project: Project
    clock: Clock
    made: Made

    def prepare(self) -> None:
        """Group and score new posts and rebuild the queue, as after an import or new thresholds."""
        prepare(self.project)
        with self.project.database.read() as session:
            champion = champion_number(session)
        if champion is not None:
            self.made.add_scores(self.project, champion)
            strata.give_strata(self.project, champion)
        swap.rebuild(self.project)
        jobs.withdraw(self.project.database.engine)

    def run_round(self, number: int) -> str:
        """The state in which the round stops. Raises WorkbenchError if it fails."""
        made = self.made
        return self._run(
            number,
            {
                "export": export,
                "train": made.train,
                "evaluate": made.evaluate,
                "judge": judge,
                "score": made.score,
                "weigh": weigh,
                "promote": _promote,
            },
            is_own=True,
        )

    def promote(self, number: int) -> str:
        return self._run(number, {"score": self.made.score, "promote": _promote})

    def _run(self, number: int, steps: dict[str, Step], *, is_own: bool = False) -> str:
        """`is_own`: the steps are those of the round, and their time is its duration."""
        for name, step in steps.items():
            if guarded(self.project, number, name, step) != GO:
                break
            seconds = self._seconds(number, name)
            self.clock.move(seconds)
            if is_own:
                self._note_work(number, seconds)
        jobs.withdraw(self.project.database.engine)
        with self.project.database.read() as session:
            row = lifecycle.find(session, number)
        if row.failure is not None or row.state not in {"promoted", "awaiting"}:
            reason = row.failure or row.decision_reason
            raise WorkbenchError(
                "The sample round ended as {state}: {reason}",
                state=row.state,
                reason=None if reason is None else Message.from_dict(reason),
            )
        return row.state

    def _note_work(self, number: int, seconds: float) -> None:
        """The clock stands still while a step runs, so the step has noted none."""
        with self.project.database.write() as session:
            row = session.get_one(Round, number)
            row.worked_seconds = (row.worked_seconds or 0.0) + seconds

    def _seconds(self, number: int, name: str) -> float:
        """The time that the step took where the round was made."""
        if name == "train":
            return read_card(self.project.round_folder(number)).seconds
        if name == "score":
            with self.project.database.read() as session:
                return float((session.get_one(Round, number).scored or {}).get("seconds", OTHER_SECONDS))
        return EVALUATION_SECONDS if name == "evaluate" else OTHER_SECONDS


def _promote(project: Project, number: int) -> str:
    return promote_with(project, number, vectors=None)
