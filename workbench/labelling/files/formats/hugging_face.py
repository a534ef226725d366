"""`Dataset.to_json` of our own export for Hugging Face `datasets`: the label is a position in our order.

{"text": "...", "label": 2, "id": "p1", "labels": {"normal": 0, "suspicious": 0, "violation": 1}, ...}
"""

from collections.abc import Mapping
from typing import Any

from trainer.labels import LABELS
from trainer.messages import Message
from workbench.labelling.files.formats import plain
from workbench.labelling.files.rows import Names, Stated


def is_read_here(value: Mapping[str, Any]) -> bool:
    votes = value.get("labels")
    return isinstance(votes, dict) and tuple(votes) == LABELS and _is_position(value.get("label"))


def read(value: Mapping[str, Any], names: Names) -> Stated | Message | None:
    stated = plain.read(value, names)
    if isinstance(stated, Stated) and _is_position(stated.label):
        return stated._replace(label=LABELS[stated.label])
    return stated


def _is_position(label: object) -> bool:
    return isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(LABELS)
