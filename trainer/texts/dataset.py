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

from trainer.errors import DatasetError
from trainer.labels import LABELS
from trainer.messages import Message

CHARACTERS_PER_TOKEN = 32
"""Text beyond this many characters per token cannot reach the model and is not tokenised."""


Numbered = tuple[int, Message, dict[str, Any]]
"""Line number, "file, line n", and the object of that line."""


@dataclass(frozen=True)
class Example:
    id: str
    text: str
    target: tuple[float, ...]
    """Probabilities over LABELS: one-hot, or the shares of the votes of several annotators without a resolution."""
    weight: float
    group: str
    label: str
    """The resolved label."""
    inclusion: float = 1.0
    """Probability, above 0 to 1, that this post was selected for labelling: it represents 1 / inclusion posts."""


def read_jsonl(path: Path) -> list[Example]:
    """Read lines of `{"text", "label", "id", "group", "weight", "labels": {"violation": 2, ...}, ...}`.

    Only `text` and `label` are required. With `resolved_by`, the label is a resolution and the votes are
    ignored. Raises DatasetError with file and line.
    """
    return as_examples(read_objects(path))


def as_examples(objects: Iterable[Numbered]) -> list[Example]:
    return [_example(record, where, f"{number}") for number, where, record in objects]


def read_objects(path: Path) -> Iterator[Numbered]:
    return parse_objects(path, read_lines(path))


def parse_objects(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Numbered]:
    for number, line in lines:
        if not line.strip():
            continue
        where = Message("{path}, line {number}", path=path, number=number)
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DatasetError("{where}: not JSON ({error})", where=where, error=error) from error
        if not isinstance(record, dict):
            raise DatasetError(
                "{where}: expected an object, found {kind}", where=where, kind=type(record).__name__
            )
        yield number, where, record


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines of a UTF-8 file. Only line feeds and carriage returns end a line: U+2028 is text."""
    with reading(path), path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            yield number, line.rstrip("\n")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raises a DatasetError that names the file if it cannot be opened or decoded."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise DatasetError(
            "{path}: not UTF-8 ({problem}); save the file as UTF-8", path=path, problem=error.reason
        ) from error
    except OSError as error:
        raise DatasetError("{path}: cannot be read ({problem})", path=path, problem=error.strerror) from error


def text_of(record: Mapping[str, Any], where: Message) -> str:
    text = record.get("text")
    if not isinstance(text, str) or not text.strip():
        raise DatasetError("{where}: `text` is missing or empty", where=where)
    return text


def group_weights(examples: Sequence[Example]) -> NDArray[np.float64]:
    """The weight of each example: the rows of a group share the weight of its heaviest row, at least 1.

    So a post that was copied a hundred times counts once, and weights that are already shared stay as they
    are. Where posts were drawn with different probabilities, each counts for the posts it represents (Horvitz
    and Thompson 1952); the sum of the weights does not change.
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
    """The part of a text that can reach the model, with lone surrogates (JSON may hold them) replaced."""
    return text.strip()[: CHARACTERS_PER_TOKEN * max_length].encode("utf-8", "replace").decode("utf-8")


def _example(record: Mapping[str, Any], where: Message, number: str) -> Example:
    text = text_of(record, where)
    label = record.get("label")
    if label is None:
        raise DatasetError("{where}: `label` is missing", where=where)
    if label not in LABELS:
        raise DatasetError(
            "{where}: unknown label {label}; known are {known}",
            where=where,
            label=repr(label),
            known=", ".join(LABELS),
        )
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


def _target(label: str, votes: object, where: Message) -> tuple[float, ...]:
    if votes is None:
        votes = {}
    if not isinstance(votes, dict) or not all(_is_count(count) for count in votes.values()):
        raise DatasetError(
            '{where}: `labels` must be counts by label name, such as {{"violation": 2}}', where=where
        )
    if unknown := set(votes) - set(LABELS):
        raise DatasetError(
            "{where}: unknown label {label}; known are {known}",
            where=where,
            label=repr(min(unknown)),
            known=", ".join(LABELS),
        )
    total = sum(votes.values())
    if total < 2:
        return tuple(float(name == label) for name in LABELS)
    return tuple(votes.get(name, 0) / total for name in LABELS)


def _weight(weight: object, where: Message) -> float:
    if weight is None:
        return 1.0
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 < weight < math.inf:
        raise DatasetError(
            "{where}: `weight` must be a number above zero, not {weight}", where=where, weight=repr(weight)
        )
    return float(weight)


def _inclusion(chance: object, where: Message) -> float:
    if chance is None:
        return 1.0
    if isinstance(chance, bool) or not isinstance(chance, int | float) or not 0 < chance <= 1:
        raise DatasetError(
            "{where}: `inclusion_probability` must be above 0 and 1 at most, not {chance}",
            where=where,
            chance=repr(chance),
        )
    return float(chance)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
