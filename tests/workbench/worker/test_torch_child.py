"""The torch process: started on demand, restarted if killed, ended when idle and with the worker."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workbench.working import TIMEOUT_SECONDS
from workbench import accounts
from workbench.errors import RoundError
from workbench.locks import STEP, hold
from workbench.project import Project, open_project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge
from workbench.worker.attempts import MOST_STEP_ATTEMPTS
from workbench.worker.torch_child import MODULE, RequestError, TorchChild

ROOT = Path(__file__).parents[3]
ECHO = "tests.workbench.worker.echo_tasks"


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TorchChild]:
    path = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    torch_child = TorchChild(tmp_path, module=ECHO)
    yield torch_child
    torch_child.end_if_idle(after=0)


def asked(home: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (home / "asked").read_text(encoding="utf-8").splitlines()]


def test_it_is_started_by_the_first_request_and_kept(
    project: Project, child: TorchChild, tmp_path: Path
) -> None:
    assert child.process_id is None
    assert child.step("score")(project, 3) == "go"
    first = child.process_id
    assert first is not None
    assert child.explain(tmp_path / "round-0001", ["加微信", "\ud800"]) == [[(0, 3, 0.5)], [(0, 1, 0.5)]]
    assert child.process_id == first
    assert asked(tmp_path)[0] == {"step": "score", "number": 3}


def test_an_idle_one_is_ended_and_the_next_request_starts_another(
    project: Project, child: TorchChild
) -> None:
    child.end_if_idle(after=0)  # there is none yet
    child.step("score")(project, 1)
    first = child.process_id
    child.end_if_idle()
    assert child.process_id == first
    child.end_if_idle(after=0)
    assert child.process_id is None
    assert child.step("score")(project, 1) == "go"
    assert child.process_id not in {None, first}


def test_a_step_whose_process_dies_is_done_again(project: Project, child: TorchChild, tmp_path: Path) -> None:
    assert child.step("die once")(project, 1) == "go"
    assert len(asked(tmp_path)) == 2


def test_a_step_that_keeps_killing_its_process_is_given_up(
    project: Project, child: TorchChild, tmp_path: Path
) -> None:
    with pytest.raises(
        RoundError, match=r"die failed: the system ended it with signal 9 \(out of memory\?\)"
    ):
        child.step("die")(project, 1)
    assert len(asked(tmp_path)) == MOST_STEP_ATTEMPTS
    assert child.step("score")(project, 1) == "go"


def test_what_it_cannot_do_is_said(project: Project, child: TorchChild) -> None:
    with pytest.raises(RoundError, match="fail failed: OSError: no space left"):
        child.step("fail")(project, 1)


def test_it_ends_when_its_pipe_does_whatever_it_is_doing(project: Project) -> None:
    """Also while torch is loading."""
    command = [sys.executable, "-P", "-m", MODULE, "--home", str(project.home)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.fixture(scope="module")
def real(served_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, TorchChild]]:
    project = open_project(shutil.copytree(served_home, tmp_path_factory.mktemp("real") / "project"))
    torch_child = TorchChild(project.home)
    yield project, torch_child
    torch_child.end_if_idle(after=0)
    project.database.dispose()


@pytest.mark.long
def test_a_step_waits_for_that_of_a_killed_worker_to_be_gone(real: tuple[Project, TorchChild]) -> None:
    """A purge is refused meanwhile."""
    project, torch_child = real
    answers: list[str] = []
    with hold(project.data / STEP):
        asking = threading.Thread(target=lambda: answers.append(torch_child.step("prepare")(project, 0)))
        asking.start()
        asking.join(1)
        assert answers == []
        with pytest.raises(RoundError, match="Posts are being prepared"):
            purge(project, accounts.command_line(project), Criterion(post="p1"), is_dry=False)
    asking.join(TIMEOUT_SECONDS)
    assert answers == ["go"]


@pytest.mark.long
def test_the_real_one_loads_an_adapter_and_says_what_it_cannot(real: tuple[Project, TorchChild]) -> None:
    project, torch_child = real
    texts = ["今天天气好abc", "加微信低价代开"]
    (_, carried) = torch_child.explain(project.round_folder(1), texts)
    assert all(0 <= start < end <= len(texts[1]) and drop > 0 for start, end, drop in carried)
    with pytest.raises(RequestError, match="AdapterError"):
        torch_child.explain(project.round_folder(9), texts)
