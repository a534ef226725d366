"""Our own export: JSONL, and `Dataset.to_json` of the folder for Hugging Face `datasets`.

    {"text": "...", "label": "violation", "id": "p1", "labels": {"violation": 1}, "annotators": [2], "source": null, ...}
    {"text": "...", "label": 2, "id": "p1", "labels": {"normal": 0, "suspicious": 0, "violation": 1}, ...}

A number is a position in our order. Labels with a source keep it, so that they never come to judge. So do those of our CSV,
whose headings are English or Chinese.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from trainer.labels import LABELS
from trainer.messages import Message
from workbench.labelling.files.formats import plain
from workbench.labelling.files.rows import Names, Stated

OUR_HEADINGS = (("source", "split", "inclusion_probability"), ("来源", "数据划分", "抽中概率"))
"""Of CSV files, by which one is recognised; the first is the column of the source."""


def source_column(names: Iterable[str]) -> str | None:
    """None in a table that is no export of ours."""
    given = set(names)
    return next((headings[0] for headings in OUR_HEADINGS if given.issuperset(headings)), None)


def is_read_here(value: Mapping[str, Any]) -> bool:
    votes = value.get("labels")
    return isinstance(votes, dict) and "label" in value and votes.keys() <= set(LABELS)


def read(value: Mapping[str, Any], names: Names) -> Stated | Message | None:
    stated = plain.read(value, names)
    if not isinstance(stated, Stated):
        return stated
    label = LABELS[stated.label] if _is_position(stated.label) else stated.label
    return stated._replace(label=label, source=value.get("source"))


def _is_position(label: object) -> bool:
    return isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(LABELS)
