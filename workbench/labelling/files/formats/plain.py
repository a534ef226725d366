"""One object a post, as in our own exports and in doccano's.

{"id": "p1", "text": "...", "label": "normal"}
{"id": 7, "text": "...", "label": ["normal"]}        doccano; `labels` in some versions
"""

from collections.abc import Mapping
from typing import Any

from trainer.messages import Message
from workbench.imports.facts import meaning_of
from workbench.labelling.files.rows import Names, Stated
from workbench.labelling.files.times import time_in


def read(value: Mapping[str, Any], names: Names) -> Stated | Message | None:
    label = value.get(names.label)
    if label is None and isinstance(value.get("labels"), list):
        label = value["labels"]
    text = value.get(names.text or "text")
    if text is None and names.text is None and isinstance(value.get("data"), str):
        text = value["data"]
    return Stated(value.get(names.id or "id"), text, label, _facts(value), time_in(value))


def _facts(value: Mapping[str, Any]) -> dict[str, str]:
    """The columns whose meaning is known: another one may repeat the label."""
    return {
        name: str(fact)
        for name, fact in value.items()
        if meaning_of(name) is not None and isinstance(fact, str | int | float) and str(fact).strip()
    }
