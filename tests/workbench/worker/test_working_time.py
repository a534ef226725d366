"""A round's duration is the time of its steps: no lead's wait, no later promotion."""

from typing import Any

import pytest

from tests.conftest import Clock
from tests.workbench.making import add_round
from trainer.messages import Message
from workbench.accounts import Account
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.worker.attempts import begin


def worked(project: Project) -> float | None:
    with project.database.read() as session:
        entry = lifecycle.describe(session, lifecycle.find(session, 1))
    seconds: float | None = entry["worked_seconds"]
    return seconds


def run_step(project: Project, clock: Clock, step: str, seconds: float, **values: Any) -> None:
    attempt = begin(project, 1, step, serves_promotion=step == "scoring")
    clock.move(seconds=seconds)
    with attempt.finish(**values):
        pass


@pytest.fixture
def started(project: Project, lead: Account, clock: Clock) -> Project:
    """Waited ten minutes for the worker, then trained for eighty seconds."""
    add_round(project, lead, 1, {"metrics": None}, state="queued", is_running=True)
    clock.move(minutes=10)
    run_step(project, clock, "training", 80)
    return project


def test_neither_the_leads_wait_nor_the_promotion_counts(
    started: Project, lead: Account, clock: Clock
) -> None:
    run_step(started, clock, "gating", 2, state="awaiting", is_running=False)
    assert worked(started) == 82
    clock.move(hours=3)
    lifecycle.promote(started, lead, 1)
    run_step(started, clock, "scoring", 40)
    run_step(started, clock, "scoring", 5, state="promoted", state_before=None, is_running=False)
    assert worked(started) == 82


def test_a_round_that_is_promoted_by_itself_counts_its_scoring(started: Project, clock: Clock) -> None:
    run_step(started, clock, "scoring", 40, state="promoted", is_running=False)
    assert worked(started) == 120


def test_a_step_that_fails_counts_until_then(started: Project, clock: Clock) -> None:
    attempt = begin(started, 1, "evaluating")
    clock.move(seconds=20)
    with started.database.write() as session:
        assert lifecycle.fail(session, started, 1, attempt.fence, Message("no text"))
    clock.move(hours=1)
    assert worked(started) == 100


def test_a_cancelled_step_counts_until_then(started: Project, lead: Account, clock: Clock) -> None:
    begin(started, 1, "evaluating")
    clock.move(seconds=20)
    lifecycle.cancel(started, lead, 1)
    clock.move(hours=1)
    assert worked(started) == 100


def test_a_step_repeated_after_a_crash_counts_once(started: Project, clock: Clock) -> None:
    begin(started, 1, "evaluating")
    clock.move(hours=2)  # the worker was down
    run_step(started, clock, "evaluating", 20)
    assert worked(started) == 100
