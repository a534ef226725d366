"""Runs a project's worker, real or without a model, and waits for its effects."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, select

from db.tables import Annotation, Champion, Promotion, Round
from tests.workbench.making import POSTS
from workbench import accounts, services
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.scores.round_scores import RoundScores
from workbench.worker.torch_child import MODULE

TIMEOUT_SECONDS = 300
"""A limit on waiting, for a busy machine; not a promise of speed."""


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def worker_of(project: Project) -> list[str]:
    return [*services.worker_command(project.home), "--watch-stdin"]


def fake_worker_of(project: Project) -> list[str]:
    """Steps need no torch (`worker/fake_worker.py`): ready in two seconds instead of ten."""
    return [
        sys.executable,
        "-m",
        "tests.workbench.worker.fake_worker",
        "--home",
        str(project.home),
        "--watch-stdin",
    ]


def crashing_worker_of(project: Project, step: str, moment: str, *, is_fake: bool) -> list[str]:
    """Kills itself `before` or `after` a step (`worker/crashing_worker.py`)."""
    command = [
        sys.executable,
        "-m",
        "tests.workbench.worker.crashing_worker",
        str(project.home),
        step,
        moment,
    ]
    return [*command, *(["fake"] if is_fake else [])]


def trainers(project: Project) -> list[int]:
    return _processes(project, "trainer.train")


def torch_children(project: Project) -> list[int]:
    return _processes(project, MODULE)


def _processes(project: Project, module: str) -> list[int]:
    process_ids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if module.encode() in command and os.fsencode(project.home) in command:
                process_ids.append(int(entry.name))
    return process_ids


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


def decided(project: Project, number: int) -> Round:
    """The settled round, after a lead's decision to use it where the gate leaves that to one."""
    row = wait_for_state(project, number, *lifecycle.SETTLED)
    if row.state != "awaiting":
        return row
    lifecycle.promote(project, accounts.command_line(project), number)
    return wait_for_state(project, number, *lifecycle.SETTLED)


def champion(project: Project) -> int | None:
    with project.database.read() as session:
        row = session.get(Champion, 1)
        return None if row is None else row.round_number


def assert_whole(project: Project) -> None:
    """Invariants of the project `labelled` with one promoted round, after every fault."""
    with project.database.read() as session:
        assert session.connection().exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert session.connection().exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert session.scalar(select(func.count()).select_from(Annotation)) == 150
        assert session.scalar(select(func.count()).select_from(Champion)) == 1
        assert session.scalar(select(func.count()).select_from(Promotion)) == 1
    assert RoundScores.of(project, 1).count() == POSTS
    assert [path.name for path in project.models.iterdir()] == ["round-0001"]
