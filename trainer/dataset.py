"""Labelled posts from a JSONL file, and what they weigh."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.config import LABELS
from trainer.errors import DatasetError

CHARACTERS_PER_TOKEN = 32
"""Text beyond this many characters a token cannot reach the model and is not tokenised."""


Numbered = tuple[int, str, dict[str, Any]]
"""Line number, "file, line n", and the object of that line."""


@dataclass(frozen=True)
class Example:
    """One labelled post."""

    id: str
    text: str
    target: tuple[float, ...]
    """Probabilities over LABELS: one-hot, or the shares of the votes where several people labelled and nobody decided."""
    weight: float
    group: str
    label: str
    """The resolved label."""
    inclusion: float = 1.0
    """How likely this post was to be among the labelled ones, above 0 to 1: it stands for 1 / inclusion posts."""


def read_jsonl(path: Path) -> list[Example]:
    """Read `{"text", "label", "id", "group", "weight", "labels": {"violation": 2, ...}, ...}` lines.

    Only `text` and `label` are required. With `resolved_by` the label was decided, and the votes do not count. Raises DatasetError naming file and line.
    """
    return as_examples(read_objects(path))


def as_examples(objects: Iterable[Numbered]) -> list[Example]:
    return [_example(record, where, f"{number}") for number, where, record in objects]


def read_objects(path: Path) -> Iterator[Numbered]:
    """The objects of a JSONL file; blank lines are passed over."""
    return parse_objects(path, read_lines(path))


def parse_objects(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Numbered]:
    for number, line in lines:
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DatasetError(f"{where}: not JSON ({error})") from error
        if not isinstance(record, dict):
            raise DatasetError(f"{where}: expected an object, found {type(record).__name__}")
        yield number, where, record


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a UTF-8 file. Only line feeds and carriage returns end a line: U+2028 is text."""
    with reading(path), path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            yield number, line.rstrip("\n")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what can be wrong with a file into a DatasetError that names it."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error


def text_of(record: Mapping[str, Any], where: str) -> str:
    text = record.get("text")
    if not isinstance(text, str) or not text.strip():
        raise DatasetError(f"{where}: `text` is missing or empty")
    return text


def group_weights(examples: Sequence[Example]) -> NDArray[np.float64]:
    """The weight of each example: the rows of a group share what its heaviest row (at least 1) weighs.

    So a post copied a hundred times counts once, and a file that already shared the weight is left as it is. Where
    posts were drawn with different chances, each counts for as many as it stands for (Horvitz and Thompson 1952); the
    sum stays what it was.
    """
    members: dict[str, list[float]] = defaultdict(list)
    for example in examples:
        members[example.group].append(example.weight)
    share = {group: min(1.0, max(1.0, *weights) / sum(weights)) for group, weights in members.items()}
    own = np.array([example.weight * share[example.group] for example in examples], dtype=np.float64)
    stands_for = own / np.array([example.inclusion for example in examples], dtype=np.float64)
    return stands_for * (own.sum() / stands_for.sum()) if len(examples) else own


def count_labels(examples: Sequence[Example]) -> dict[str, int]:
    counts = Counter(example.label for example in examples)
    return {label: counts[label] for label in LABELS}


def encodable(text: str, max_length: int) -> str:
    """The part of a text that can matter, with lone surrogates (JSON may hold them) replaced."""
    return text.strip()[: CHARACTERS_PER_TOKEN * max_length].encode("utf-8", "replace").decode("utf-8")


def _example(record: Mapping[str, Any], where: str, number: str) -> Example:
    text = text_of(record, where)
    label = record.get("label")
    if label is None:
        raise DatasetError(f"{where}: `label` is missing")
    if label not in LABELS:
        raise DatasetError(f"{where}: unknown label {label!r}; known are {', '.join(LABELS)}")
    target = _target(label, record.get("labels"), where)
    if record.get("resolved_by") is not None:
        target = _target(label, None, where)
    name = str(record["id"]) if record.get("id") is not None else number
    return Example(
        id=name,
        text=text,
        target=target,
        weight=_weight(record.get("weight"), where),
        group=str(record["group"]) if record.get("group") is not None else name,
        label=label,
        inclusion=_inclusion(record.get("inclusion_probability"), where),
    )


def _target(label: str, votes: object, where: str) -> tuple[float, ...]:
    if votes is None:
        votes = {}
    if not isinstance(votes, dict) or not all(_is_count(count) for count in votes.values()):
        raise DatasetError(f'{where}: `labels` must be counts by label name, such as {{"violation": 2}}')
    if unknown := set(votes) - set(LABELS):
        raise DatasetError(f"{where}: unknown label {min(unknown)!r}; known are {', '.join(LABELS)}")
    total = sum(votes.values())
    if total < 2:
        return tuple(float(name == label) for name in LABELS)
    return tuple(votes.get(name, 0) / total for name in LABELS)


def _weight(weight: object, where: str) -> float:
    if weight is None:
        return 1.0
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
        raise DatasetError(f"{where}: `weight` must be a number above zero, not {weight!r}")
    return float(weight)


def _inclusion(chance: object, where: str) -> float:
    if chance is None:
        return 1.0
    if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 < chance <= 1:
        raise DatasetError(f"{where}: `inclusion_probability` must be above 0 and 1 at most, not {chance!r}")
    return float(chance)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
