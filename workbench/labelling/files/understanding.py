"""One rule for id, text and label of a line, whatever its format."""

from collections.abc import Mapping

from trainer.messages import Message
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import Row, identity_of, plain_content, plain_text, unusable_text
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
    if stated.label == []:
        return None  # an export of posts that are not all labelled yet
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
    facts = {name: plain_content(cell) for name, cell in stated.facts.items()}
    row = Row(line, identity, text, facts)
    return LabelledRow(row, label, _said(stated.time), _said(stated.annotator), _said(stated.source))


def _identity(value: object) -> str | Message | None:
    """An empty id is none."""
    identity = identity_of(value)
    return Reject(0, RejectCode.ID_KIND, "").reason if identity is None else identity or None


def _text(value: object) -> str | Message:
    """Empty if there is none: an id alone names a known post."""
    unusable = unusable_text(0, value)
    if unusable is None:
        return plain_text(str(value))
    return "" if unusable.code is RejectCode.NO_TEXT else unusable.reason


def _said(value: object) -> str | None:
    return plain_content(str(value)).strip() or None if isinstance(value, str | int | float) else None
