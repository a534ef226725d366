import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.encoders import make_tiny_encoder
from tests.made_once import made_once
from tests.trainer.toy import copy_of, toy_examples, write_examples
from trainer.adapters.encoder import Adapter, load_adapter
from trainer.config import TrainConfig
from trainer.running.progress import Silent
from trainer.train import train


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Small matrices are slower on several threads, and the machine is shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "tiny-base", make_tiny_encoder)


@pytest.fixture(scope="session")
def toy_config(tiny_base: Path) -> TrainConfig:
    """Learns the toy task in two or three seconds."""
    return TrainConfig(
        base=str(tiny_base),
        learning_rate=3e-3,
        dropout=0.0,
        max_epochs=12,
        min_steps=1,
        max_length=32,
        calibration_folds=0,
    )


@pytest.fixture(scope="session")
def toy_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("toy")
    sizes = {"train": 150, "validation": 60, "test": 90}
    return {
        name: write_examples(folder / f"{name}.jsonl", toy_examples(size, seed))
        for seed, (name, size) in enumerate(sizes.items())
    }


@pytest.fixture(scope="session")
def trained(
    toy_config: TrainConfig, toy_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An adapter folder; do not write to it."""

    def make(folder: Path) -> None:
        train(toy_files["train"], toy_files["validation"], folder / "round-0001", toy_config, Silent())

    return made_once(tmp_path_factory, "trained", make) / "round-0001"


@pytest.fixture(scope="session")
def adapter(trained: Path) -> Adapter:
    return load_adapter(trained)


@pytest.fixture
def edit_card(trained: Path, tmp_path: Path) -> Callable[[Callable[[dict], object]], Path]:
    """Copy the trained adapter and change its card."""

    def edit(change: Callable[[dict], object]) -> Path:
        folder = copy_of(trained, tmp_path)
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        change(card)
        (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
        return folder

    return edit
