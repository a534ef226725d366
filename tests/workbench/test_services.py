"""Processes of a project: one worker, which other commands see from the moment it is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workbench.working import wait_until
from trainer.messages import Message
from workbench import services
from workbench.errors import WorkbenchError
from workbench.locks import LAUNCH, WORKER, hold, is_held, keep
from workbench.project import Project
from workbench.rounds.lifecycle import is_worker_running

REPLACED = """
import os, sys
from pathlib import Path
from workbench.locks import keep
keep(Path(sys.argv[1]), seconds=0, refusal=SystemExit(3))
os.execvp(sys.executable, [sys.executable, "-c", "print('replaced', flush=True); input()"])
"""


def test_a_worker_that_is_being_started_counts_as_running(project: Project) -> None:
    assert not is_worker_running(project)
    with services.launching(project) as is_first:
        assert is_first
        assert is_worker_running(project)
    assert not is_worker_running(project)


def test_the_hint_names_the_project_unless_it_is_the_current_folder(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"`workbench up --home {project.home}`" in str(services.worker_hint(project.home))
    monkeypatch.chdir(project.home)
    assert str(services.worker_hint(Path.cwd())) == (
        "No worker is running: start one with `workbench up` or `workbench worker`."
    )


@pytest.mark.parametrize("lock", [LAUNCH, WORKER])
def test_a_project_with_a_worker_gets_no_second_one(
    project: Project, lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "LAUNCH_SECONDS", 0)
    with hold(project.data / lock), services.launching(project) as is_first:
        assert not is_first
    with services.launching(project) as is_first:
        assert is_first


def test_the_app_starts_without_a_worker_where_one_is_running(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Message] = []
    monkeypatch.setattr(services, "LAUNCH_SECONDS", 0)
    monkeypatch.setattr(services, "web_command", lambda: [sys.executable, "-c", ""])
    with hold(project.data / LAUNCH), pytest.raises(WorkbenchError, match="The web app ended by itself"):
        services.up(project, say=said.append)
    assert said == [Message("This project has a worker already: only the web app starts.")]


def test_a_kept_lock_outlives_the_program_that_took_it_but_not_its_process(tmp_path: Path) -> None:
    lock, variables = tmp_path / "kept.lock", os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", REPLACED, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"replaced\n"
        assert is_held(lock)
        with pytest.raises(WorkbenchError, match="taken"):
            keep(lock, seconds=0, refusal=WorkbenchError("taken"))
        process.communicate(b"\n")
    wait_until(lambda: not is_held(lock), "the lock")
