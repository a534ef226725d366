"""Texts with an order that a tiny encoder can learn, and encoders of several kinds that it begins from."""

import random
from pathlib import Path

import pytest
from accelerate import Accelerator

from tests.encoders import make_tiny_encoder

PAIRS = ("天气", "大家", "微信", "发票", "真好", "滚蛋")


def make_texts(count: int, seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(PAIRS, k=chance.randint(3, 9))) for _ in range(count)]


@pytest.fixture
def accelerator() -> Accelerator:
    return Accelerator(cpu=True, mixed_precision="no")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return make_tiny_encoder(tmp_path / "base")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "posts.txt"
    path.write_text("\n".join(make_texts(600)), encoding="utf-8")
    return path
