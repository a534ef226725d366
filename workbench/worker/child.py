"""Child processes of a step, which end with the worker and with the attempt."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from trainer.running.children import Child, kill, module_command, start
from trainer.running.progress import reason_of
from workbench.errors import RoundError
from workbench.worker.attempts import SupersededError

FENCE_SECONDS = 0.5
"""Interval at which a long step checks that its attempt is the newest."""


class Attempt(Protocol):
    @property
    def log_folder(self) -> Path: ...

    def is_wanted(self) -> bool: ...


def run_child(attempt: Attempt, step: str, command: Sequence[object]) -> None:
    """`command` is a module and its arguments.

    Raises RoundError with the child's reason if it fails, SupersededError if the attempt is superseded.
    """
    module, *arguments = command
    progress = attempt.log_folder / f"{step}.jsonl"
    with open_log(attempt.log_folder, step) as log:
        begin_of_log = log.tell()
        progress.unlink(missing_ok=True)
        own = module_command(str(module), *arguments, "--progress", progress)
        child = start(own, stdout=log, stderr=log, has_own_group=True)
        try:
            _wait(child, attempt)
        finally:
            kill(child)
    if child.returncode != 0:
        reason = reason_of(progress, _read_from(Path(log.name), begin_of_log), child.returncode)
        raise RoundError("{step} failed: {reason}", step=step.capitalize(), reason=reason)


def _read_from(log: Path, begin: int) -> str:
    with log.open("rb") as file:
        file.seek(begin)
        return file.read().decode("utf-8", "replace")


def _wait(child: Child, attempt: Attempt) -> None:
    while True:
        try:
            child.wait(FENCE_SECONDS)
        except subprocess.TimeoutExpired:
            if not attempt.is_wanted():
                raise SupersededError from None
        else:
            return


@contextmanager
def open_log(folder: Path, name: str) -> Iterator[IO[str]]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("a", encoding="utf-8") as file:
        yield file
