"""Run a project's real worker and wait for what it does; an adapter for it, trained in seconds."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from db.tables import Round
from tests.workbench.conftest import LETTERS, WORDS
from tests.workbench.making import POSTS, make_champion
from trainer.config import TrainConfig
from trainer.running.progress import Silent
from trainer.train import train
from workbench import services
from workbench.accounts import Account
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


def train_champion(project: Project, boss: Account, folder: Path) -> None:
    """Round 1 with a real adapter, trained in seconds."""
    files = []
    for name, letters in (("train", LETTERS[:20]), ("validation", LETTERS[20:])):
        rows = [
            {"id": f"{label}-{letter}", "text": letter + text, "label": label}
            for letter in letters
            for label, text in WORDS.items()
        ]
        files.append(folder / f"{name}.jsonl")
        files[-1].write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    config = TrainConfig(
        base=project.settings.base_model, learning_rate=3e-3, max_epochs=12, min_steps=1, calibration_folds=0
    )
    train(*files, project.round_folder(1), config, Silent())
    make_champion(project, boss, np.full((POSTS, 3), 1 / 3))
