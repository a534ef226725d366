"""Label Studio's exports of a choice: JSON, JSON_MIN, CSV and TSV. Its own number of a task is no id of a post.

{"id": 1, "data": {"text": "..."}, "annotations": [{"completed_by": 1, "was_cancelled": false,
    "result": [{"from_name": "verdict", "type": "choices", "value": {"choices": ["normal"]}}]}]}
{"id": 1, "text": "...", "verdict": "normal", "annotator": 1, "annotation_id": 1, "updated_at": "...", ...}

CSV and TSV have the columns of JSON_MIN; a cell with several choices is JSON.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trainer.messages import Message
from trainer.reading.values import DECODER
from workbench.labelling.files.formats import plain
from workbench.labelling.files.formats.votes import agreed, chosen
from workbench.labelling.files.rows import Names, Stated
from workbench.labelling.files.times import time_in

_FLAT = frozenset({"annotation_id", "annotator"})
"""Columns of a flat export (JSON_MIN, CSV, TSV), which has one line an annotation."""
_SEVERAL = '{"choices"'
_OURS = frozenset({"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"})


def is_full(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("data"), dict) and isinstance(value.get("annotations"), list)


def is_flat(names: Iterable[str]) -> bool:
    return set(names) >= _FLAT


def read_full(value: Mapping[str, Any], names: Names) -> Stated | Message | None:
    """None for a task without an annotation that was not cancelled."""
    data, annotations = value.get("data"), value.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list):
        return Message("no task of Label Studio, as the first one is")
    choices = list(_choices(annotations))
    question = chosen([name for name, _ in choices], names.label)
    if question is None or isinstance(question, Message):
        return question
    label = agreed([label for name, label in choices if name == question])
    if isinstance(label, Message):
        return label
    return plain.read(data, names)._replace(label=label)  # type: ignore[union-attr]


def read_flat(value: Mapping[str, Any], names: Names) -> Stated | Message | None:
    text = names.text or "text"
    answers = {name: _answer(value[name]) for name in value.keys() - _OURS - {text, names.id}}
    answered = [name for name, answer in answers.items() if answer is not None]
    if not answered:
        return None  # a skipped task
    question = chosen(answered, names.label)
    if isinstance(question, Message):
        return question
    label = None if question is None else answers[question]
    identity = value.get(names.id) if names.id else None
    return Stated(identity, value.get(text), label, time=time_in(value), annotator=value.get("annotator"))


def _choices(annotations: list[Any]) -> Iterator[tuple[str, Any]]:
    """(question, labels) of each answer in an annotation that was not cancelled."""
    for annotation in annotations:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        results = annotation.get("result")
        for result in results if isinstance(results, list) else ():
            value = result.get("value") if isinstance(result, dict) else None
            if isinstance(value, dict) and "choices" in value:
                yield str(result.get("from_name")), value["choices"]


def _answer(value: Any) -> Any:
    """The labels of a field, None if it holds none."""
    if isinstance(value, str) and value.startswith(_SEVERAL):
        value = _parsed(value)
    if isinstance(value, dict):
        return value.get("choices")
    return value if isinstance(value, str | int | list) and value else None


def _parsed(cell: str) -> Any:
    try:
        return DECODER.decode(cell)
    except ValueError:
        return cell
