"""A lock has one holder and ends with it."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import Timeout

from workbench.errors import RoundError
from workbench.locks import hold, is_held

HOLDING = """
import sys, time
from pathlib import Path
from workbench.locks import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.lock"


@contextmanager
def held_elsewhere(file: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process holds the lock until the test kills it."""
    with subprocess.Popen([sys.executable, "-c", HOLDING, str(file)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


def test_what_another_process_holds_is_refused_until_it_is_killed(file: Path) -> None:
    with held_elsewhere(file):
        assert is_held(file)
        with (
            pytest.raises(RoundError, match="taken"),
            hold(file, seconds=0, refusal=RoundError("It is taken.")),
        ):
            pass
        with pytest.raises(Timeout), hold(file, seconds=0.1):
            pass
    assert not is_held(file)
    with hold(file, seconds=0):
        assert is_held(file)


def test_one_that_waits_goes_on_when_the_holder_dies(file: Path) -> None:
    with held_elsewhere(file) as process:
        threading.Timer(0.2, process.kill).start()
        with hold(file):
            assert process.wait(timeout=10) != 0


def test_neither_a_second_call_nor_another_thread_shares_it(file: Path) -> None:
    refused: list[Exception] = []

    def ask() -> None:
        try:
            with hold(file, seconds=0):
                pass
        except Timeout as error:
            refused.append(error)

    with hold(file):
        ask()
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    assert len(refused) == 2
    ask()
    assert len(refused) == 2


def test_it_is_free_again_after_an_error(file: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold(file):
        raise ZeroDivisionError
    assert not is_held(file)


def test_those_who_ask_do_not_take_each_other_for_the_holder(file: Path) -> None:
    file.touch()
    answers: list[bool] = []
    until = time.monotonic() + 0.3

    def ask() -> None:
        while time.monotonic() < until:
            answers.append(is_held(file))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers
    assert not any(answers)


def test_a_lock_that_was_never_held_is_free(file: Path) -> None:
    assert not is_held(file)
    assert not file.exists()
