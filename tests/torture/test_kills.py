"""The real worker, trainer and encoder, killed in every step and at random moments.

Run as: make torture MINUTES=30
"""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from tests.workbench.working import (
    TIMEOUT_SECONDS,
    assert_whole,
    crashing_worker_of,
    decided,
    running,
    trainers,
    wait_for_state,
    wait_until,
    worker_of,
)
from workbench import accounts
from workbench.accounts import Account
from workbench.project import Project
from workbench.rounds import lifecycle

pytestmark = pytest.mark.torture

STEPS = ("export", "train", "evaluate", "judge", "score", "promote")
"""Without `weigh`, which follows a decision of the gate: the test posts are too few for one."""
DECIDED = ("score", "promote")
"""The steps that follow a lead's decision."""
MINUTES = float(os.environ.get("MINUTES", "10"))
KILLS = 2
"""Per round: a step that kills the worker three times ends it."""
LONGEST_LIFE_SECONDS = 40.0


def finish(project: Project, number: int) -> None:
    with running(worker_of(project)):
        row = decided(project, number)
    assert (row.state, row.failure) == ("promoted", None)
    assert_whole(project)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_in_any_step_it_goes_on(labelled: Project, boss: Account, step: str, moment: str) -> None:
    number = lifecycle.start(labelled, boss, is_quick=True)
    with running(crashing_worker_of(labelled, step, moment, is_fake=False)) as process:
        if step in DECIDED:
            wait_for_state(labelled, number, "awaiting")
            lifecycle.promote(labelled, boss, number)
        assert process.wait(TIMEOUT_SECONDS) == -signal.SIGKILL
    finish(labelled, number)


def test_killed_at_random_moments_nothing_is_lost(
    labelled_home: Path, tmp_path: Path, open_home: Callable[[Path], Project]
) -> None:
    """Fresh projects one after another, for `MINUTES`; a failure prints the seed of its moments."""
    end, seed = time.monotonic() + 60 * MINUTES, time.time_ns()
    while time.monotonic() < end:
        seed += 1
        print(f"seed {seed}")
        home = copytree(labelled_home, tmp_path / "project")
        project = open_home(home)
        number = lifecycle.start(project, accounts.command_line(project), is_quick=True)
        moments = random.Random(seed)
        for _ in range(KILLS):
            live_for(project, moments.uniform(0, LONGEST_LIFE_SECONDS))
        finish(project, number)
        project.database.dispose()
        rmtree(home)


def live_for(project: Project, seconds: float) -> None:
    """A worker, killed after `seconds` together with its trainer."""
    with running(worker_of(project)) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
    wait_until(lambda: not trainers(project), "the training process to end")
