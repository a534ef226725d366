"""A project with a real adapter in use."""

import json
from pathlib import Path

import numpy as np

from tests.workbench.conftest import LETTERS, WORDS
from tests.workbench.making import POSTS, make_champion
from trainer.config import TrainConfig
from trainer.running.progress import Silent
from trainer.train import train
from workbench.accounts import Account
from workbench.project import Project


def train_champion(project: Project, boss: Account, folder: Path) -> None:
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
