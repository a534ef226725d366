"""One rule for id, text and label of a line, whatever its format."""

from collections.abc import Mapping

from trainer.messages import Message
from trainer.reading.marks import cap_marks
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import LONGEST_TEXT, Row, id_of, is_blank, visible
from workbench.labelling.files.mapping import LEFT_OUT, label_name, ours
from workbench.labelling.files.rows import Entry, LabelledRow, Stated, Unknown


def understood(stated: Stated, line: int, mapping: Mapping[str, str]) -> Entry:
    identity, text = _identity(stated.id), _text(stated.text)
    if isinstance(text, Message):
        return text
    if isinstance(identity, Message):
        return identity
    if not text and identity is None:
        return Message("no text")
    name = label_name(stated.label)
    if name is None:
        return Message("no label")
    if isinstance(name, Message):
        return name
    label = ours(name, mapping)
    if label is None:
        return Unknown(name)
    if label == LEFT_OUT:
        return None
    row = Row(line, identity, text, stated.facts)
    return LabelledRow(row, label, _said(stated.time), _said(stated.annotator), _said(stated.source))


def _identity(value: object) -> str | Message | None:
    """An empty id is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return Message("the id is neither text nor a number")
    return id_of(str(value)) or None


def _text(value: object) -> str | Message:
    """Empty if there is none: an id alone names a known post."""
    if value is None or (isinstance(value, str) and is_blank(value)):
        return ""
    if not isinstance(value, str):
        return Message("the text is no text")
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        return Message("half of a surrogate pair in the text")
    if len(value) > LONGEST_TEXT:
        values = {"length": len(value), "most": LONGEST_TEXT}
        return Reject(0, RejectCode.TOO_LONG, "", values=values).reason
    return cap_marks(visible(value))


def _said(value: object) -> str | None:
    return str(value).strip() or None if isinstance(value, str | int | float) else None
