"""A corpus of a few hundred lines, and an encoder of one layer to read it."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from trainer.pretrain.config import PretrainConfig
from trainer.pretrain.run import Run, begin

WORDS = [
    "今天",
    "天气",
    "真好",
    "我们",
    "出去",
    "ＶＰＮ",
    "论坛",
    "帖子",
    "hello",
    "2024年",
    "，",
    "😂",
    "か",
    "é",
]
TINY = {"layers": 1, "width": 16, "heads": 2, "length": 24, "batch_tokens": 200}
MakeRun = Callable[..., Run]


def make_lines(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(WORDS, k=chance.randint(1, 20))) for _ in range(count)]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Several threads are slower on tensors as small as these, and wait on each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def accelerator() -> Accelerator:
    return Accelerator(cpu=True, mixed_precision="no")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(make_lines(400)), encoding="utf-8")
    return path


@pytest.fixture
def make_run(corpus: Path, tmp_path: Path, accelerator: Accelerator) -> MakeRun:
    """A run that has read the corpus but taken no step, in a new checkpoint folder or the given one."""
    made = 0

    def make(checkpoint: Path | None = None, **changes: object) -> Run:
        nonlocal made
        made += 1
        settings = {"corpus": {str(corpus): 1.0}, "steps": 6, "pool": 64} | TINY | changes
        folder = checkpoint or tmp_path / f"checkpoint-{made}"
        return begin(PretrainConfig(**settings), folder, accelerator, lambda _: None)

    return make
