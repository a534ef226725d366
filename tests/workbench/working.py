"""Run a project's real worker and wait for what it does."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from db.tables import Round
from workbench import services
from workbench.project import Project
from workbench.rounds import lifecycle

TIMEOUT_SECONDS = 180


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def worker_of(project: Project) -> list[str]:
    return [*services.worker_command(project.home), "--watch-stdin"]


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not is_true():
        assert time.monotonic() < deadline, f"waited {TIMEOUT_SECONDS} s for {what}"
        time.sleep(0.05)


def round_of(project: Project, number: int) -> Round:
    with project.database.read() as session:
        return lifecycle.find(session, number)


def wait_for_state(project: Project, number: int, *states: str) -> Round:
    wait_until(
        lambda: round_of(project, number).state in states, f"round {number} to be {' or '.join(states)}"
    )
    return round_of(project, number)
