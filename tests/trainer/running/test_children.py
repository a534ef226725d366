"""A child process ends with its parent, however the parent ends."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trainer.running.children import kill, module_command, start

UP = "print('up', flush=True); time.sleep(60)"
WATCHING = f"import time; from trainer.running.children import end_with_parent; end_with_parent(); {UP}"


def test_a_module_is_not_looked_for_in_the_working_directory(tmp_path: Path) -> None:
    command = module_command("site", niceness=5)
    assert command[:3] == ["nice", "-n", "5"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "sys.path = [" in done.stdout
    assert f"'{tmp_path}'" not in done.stdout


def test_a_child_ends_with_a_parent_that_was_killed() -> None:
    parent = (
        "import subprocess, sys, time; from trainer.running.children import start\n"
        f"child = start([sys.executable, '-c', {WATCHING!r}]); print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_killing_a_child_ends_what_it_started() -> None:
    grandchild = f"import time; {UP}"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    child = start([sys.executable, "-c", code], stdout=subprocess.PIPE, has_own_group=True)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    begin = time.monotonic()
    kill(child)  # returns once the pipe has no writer left
    assert time.monotonic() < begin + 10
    assert child.returncode == -signal.SIGKILL


def test_a_child_has_the_environment_and_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    code = "import os; print(os.environ['OURS'], os.environ['ADDED'])"
    with start([sys.executable, "-c", code], stdout=subprocess.PIPE, variables={"ADDED": "2"}) as child:
        assert child.stdout is not None
        assert child.stdout.read() == b"1 2\n"
