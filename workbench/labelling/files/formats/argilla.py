"""Argilla's records: `records.to_json`, and the flat rows of `to_datasets`.

{"id": "...", "fields": {"text": "..."}, "responses": {"label": [{"value": "normal", "status": "submitted"}]}}
{"id": "...", "text": "...", "label.responses": ["normal"], "label.responses.status": ["submitted"]}
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from trainer.messages import Message
from workbench.labelling.files.formats.votes import agreed, chosen
from workbench.labelling.files.rows import Names, Stated

_FLAT = ".responses"
_SUBMITTED = (None, "submitted")
"""States of an answer that counts; the others are a draft and a discarded one."""


def is_nested(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("fields"), dict) and "responses" in value


def is_flat(value: Mapping[str, Any]) -> bool:
    return any(name.endswith(_FLAT) or _is_answered(field) for name, field in value.items())


def read_nested(value: Mapping[str, Any], names: Names) -> Stated | Message | None:
    """None for a record without a submitted answer."""
    responses = value.get("responses") or {}
    fields = value.get("fields") or {}
    if not isinstance(responses, dict) or not isinstance(fields, dict):
        return Message("no record of Argilla, as the first one is")
    answers = {name: _submitted(given) for name, given in responses.items()}
    return _stated(value, fields, answers, names)


def read_flat(value: Mapping[str, Any], names: Names) -> Stated | Message | None:
    """None for a record without a submitted answer."""
    answers = {name: _submitted(field) for name, field in value.items() if _is_answered(field)}
    for name, labels in value.items():
        if name.endswith(_FLAT):
            states = value.get(f"{name}.status")
            answers[name.removesuffix(_FLAT)] = _submitted(_paired(_listed(labels), _listed(states)))
    return _stated(value, value, answers, names)


def _paired(labels: Sequence[Any], states: Sequence[Any]) -> list[dict[str, Any]]:
    pairs = zip_longest(labels, states[: len(labels)])
    return [{"value": label, "status": state} for label, state in pairs]


def _listed(value: Any) -> list[Any]:
    """Of one annotator the value itself, not a list of one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _is_answered(field: Any) -> bool:
    return isinstance(field, list) and any(
        isinstance(answer, dict) and {"value", "status"} <= answer.keys() for answer in field
    )


def _stated(
    value: Mapping[str, Any], fields: Mapping[str, Any], answers: Mapping[str, list[Any]], names: Names
) -> Stated | Message | None:
    question = chosen([name for name, labels in answers.items() if labels], names.label)
    if question is None or isinstance(question, Message):
        return question
    label = agreed(answers.get(question, []))
    if isinstance(label, Message):
        return label
    return Stated(value.get(names.id or "id"), fields.get(names.text or "text"), label)


def _submitted(given: Any) -> list[Any]:
    answers = given if isinstance(given, list) else [given]
    return [
        answer.get("value")
        for answer in answers
        if isinstance(answer, dict) and answer.get("status") in _SUBMITTED and answer.get("value") is not None
    ]
