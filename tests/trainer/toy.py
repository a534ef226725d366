"""A task that a tiny encoder learns in seconds, and its files."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from trainer.labels import LABELS
from trainer.texts.dataset import Example

KEYWORDS = {"normal": "天气真好", "suspicious": "加微信", "violation": "去死滚蛋"}
FILLER = "你我他这的一在有是不了abcdefgh"


def toy_examples(count: int, seed: int, labels: Sequence[str] = LABELS) -> list[Example]:
    """Posts whose label follows from one character among meaningless ones."""
    draw = random.Random(seed)
    return [toy_example(f"{seed}-{number}", labels[number % len(labels)], draw) for number in range(count)]


def toy_example(name: str, label: str, draw: random.Random) -> Example:
    characters = draw.choices(FILLER, k=draw.randint(2, 10)) + [draw.choice(KEYWORDS[label])] * 2
    draw.shuffle(characters)
    target = tuple(float(other == label) for other in LABELS)
    return Example(name, "".join(characters), target, 1.0, name, label)


def write_examples(path: Path, examples: Sequence[Example]) -> Path:
    lines = [json.dumps({"text": row.text, "label": row.label, "id": row.id}) for row in examples]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def copy_of(adapter_folder: Path, into: Path) -> Path:
    folder = into / "adapter"
    folder.mkdir()
    for path in adapter_folder.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder
