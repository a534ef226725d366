"""Labelled posts from a file, and what they weigh."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.errors import DatasetError
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.reading.columns import Choice, guess_id, guess_label, guess_text
from trainer.reading.formats import Format, format_of
from trainer.reading.lines import readable
from trainer.reading.objects import NotJson, open_objects
from trainer.reading.posts import open_posts
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import identity_of, is_missing, plain_text, unusable_text

CHARACTERS_PER_TOKEN = 32
"""Text beyond this many characters per token cannot reach the model and is not tokenised."""
LABELLED = Choice(is_id_needed=False, is_label_needed=True)
"""How to read a file of labelled posts."""

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


def read_jsonl(path: Path, choice: Choice = LABELLED) -> list[Example]:
    """Read objects of `{"text", "label", "id", "group", "weight", "labels": {"violation": 2, ...}, ...}`.

    Only `text` and `label` are required; a table holds these two and the id. With `resolved_by`, the label is a
    resolution and the votes are ignored. Raises DatasetError with file and line.
    """
    return as_examples(read_objects(path, choice))


def as_examples(objects: Iterable[Numbered]) -> list[Example]:
    return [_example(record, where, f"{number}") for number, where, record in objects]


def read_objects(path: Path, choice: Choice = LABELLED) -> Iterator[Numbered]:
    """The objects of a file, or the rows of a table as objects, with `text`, `label` and `id` under these names."""
    with readable(path):
        path.stat()
        if format_of(path) is Format.JSON:
            yield from _objects(path, choice)
        else:
            yield from _rows(path, choice)


def where_of(path: Path, number: int) -> Message:
    return Message("{path}, line {number}", path=path, number=number)


def _objects(path: Path, choice: Choice) -> Iterator[Numbered]:
    with closing(open_objects(path, choice.encoding)) as objects:
        for number, value in objects:
            where = where_of(path, number)
            match value:
                case dict():
                    yield number, where, _renamed(value, choice, where)
                case NotJson():
                    raise DatasetError("{where}: not JSON ({error})", where=where, error=value.problem)
                case Reject():
                    raise _unusable(where, value.reason)
                case _:
                    kind = type(value).__name__
                    raise DatasetError("{where}: expected an object, found {kind}", where=where, kind=kind)


def _renamed(record: dict[str, Any], choice: Choice, where: Message) -> dict[str, Any]:
    """Other usual names of the text, the label and the id replaced by these; an empty id is left out."""
    renamed = record | {name: record[other] for name, other in _other_names(tuple(record), choice)}
    identity = identity_of(renamed.pop("id", None))
    if identity is None:
        raise _unusable(where, Reject(0, RejectCode.ID_KIND, "").reason)
    return renamed | ({"id": identity} if identity else {})


@lru_cache  # a file has few sets of names
def _other_names(names: tuple[str, ...], choice: Choice) -> tuple[tuple[str, str], ...]:
    guessed = {
        "text": choice.text_column or guess_text(names),
        "label": choice.label_column or guess_label(names),
        "id": guess_id(names) if choice.id_column is None else choice.id_column,
    }
    return tuple(
        (name, other) for name, other in guessed.items() if other in names and other != name and other
    )


def _rows(path: Path, choice: Choice) -> Iterator[Numbered]:
    with open_posts(path, choice) as source:
        label = source.columns.label
        for row in source:
            where = where_of(path, row.line)
            if isinstance(row, Reject):
                raise _unusable(where, row.reason)
            named = {"id": row.id, "label": row.facts.get(label) if label else None}
            yield (
                row.line,
                where,
                {"text": row.text} | {name: cell for name, cell in named.items() if cell is not None},
            )


def text_of(record: Mapping[str, Any], where: Message) -> str:
    text = record.get("text")
    if is_missing(text):
        raise DatasetError("{where}: `text` is missing or empty", where=where)
    unusable = unusable_text(0, text)
    if unusable is None or unusable.code is RejectCode.SURROGATE:
        return plain_text(str(text))
    raise _unusable(where, unusable.reason)


def _unusable(where: Message, reason: Message) -> DatasetError:
    return DatasetError("{where} cannot be used: {reason}", where=where, reason=reason)


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
