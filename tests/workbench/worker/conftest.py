"""A project with a real adapter in use."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.made_once import made_once
from tests.workbench.conftest import LETTERS, WORDS
from tests.workbench.making import POSTS, make_champion
from workbench import accounts
from workbench.project import Project, open_project


@pytest.fixture(scope="session")
def served_home(labelled_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project `labelled`, whose round 1 is in use; tests work on copies."""

    def make(folder: Path) -> None:
        project = open_project(shutil.copytree(labelled_home, folder / "project"))
        _train(project, folder)
        make_champion(project, accounts.command_line(project), np.full((POSTS, 3), 1 / 3))
        project.database.dispose()

    return made_once(tmp_path_factory, "served", make) / "project"


def _train(project: Project, folder: Path) -> None:
    from trainer.config import TrainConfig  # noqa: PLC0415 - torch, which most tests here do not need
    from trainer.running.progress import Silent  # noqa: PLC0415
    from trainer.train import train  # noqa: PLC0415

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


@pytest.fixture
def served(served_home: Path, tmp_path: Path, open_home: Callable[[Path], Project]) -> Project:
    return open_home(shutil.copytree(served_home, tmp_path / "served"))
