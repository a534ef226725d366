"""A row of a file, and the checks that tables and JSON objects share."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from trainer.reading.encoding import misfit
from trainer.reading.marks import cap_marks
from trainer.reading.rejects import Reject, RejectCode

LONGEST_TEXT = 100_000
"""Characters. A longer cell indicates a damaged file."""
EMPTY = frozenset(("", "NULL", "\\N", "None", "NaN"))
"""Whole cells that mean empty: databases and pandas write them."""
LONGEST_EMPTY = 4
NO_FACTS: Mapping[str, str] = MappingProxyType({})
"""Shared by all rows without other columns: a dict for each would cost more than reading the row."""

ZERO_WIDTH = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"
_SURROGATES = re.compile("[\ud800-\udfff]")


class Row(NamedTuple):
    """A readable row. `line` counts from 1 and includes the header."""

    line: int
    id: str | None
    text: str
    facts: Mapping[str, str]


def plain_id(text: str) -> str:
    """An id without the characters at which some reader of lines begins another one: U+2028, NEL, VT and others."""
    return text if text.isprintable() else "".join(text.splitlines())


def id_of(cell: str) -> str:
    """Empty if the cell means empty."""
    identity = plain_id(cell.strip()).strip(ZERO_WIDTH).strip()
    return "" if identity in EMPTY else identity


def identity_of(value: object) -> str | None:
    """The id that a JSON value states: empty if it means empty, None if it is neither text nor a whole number."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return id_of(plain_content(str(value)))


def is_missing(value: object) -> bool:
    return value is None or (isinstance(value, str) and is_blank(value))


def unusable_text(line: int, value: object, content: str = "", identity: str | None = None) -> Reject | None:
    """Why a JSON value is no text of a post; None if it is one."""
    if is_missing(value):
        return Reject(line, RejectCode.NO_TEXT, content, identity)
    if not isinstance(value, str):
        return Reject(line, RejectCode.TEXT_KIND, content, identity)
    if misfit(value) is not None:
        return Reject(line, RejectCode.SURROGATE, content, identity)
    return too_long(line, value, content, identity) if len(value) > LONGEST_TEXT else None


def plain_text(value: str) -> str:
    """A JSON string as the text of a post: its lines end as those of a quoted cell."""
    return cap_marks(visible(value.replace("\r\n", "\n").replace("\r", "\n")))


def is_blank(text: str) -> bool:
    return not text or text.isspace() or (len(text) <= LONGEST_EMPTY and text in EMPTY)


def checked(
    line: int, identity: str | None, text: str, facts: Mapping[str, str], content: str
) -> Row | Reject:
    """The row, unless its text or a fact is too long. Only for rows of more than LONGEST_TEXT characters."""
    if len(text) > LONGEST_TEXT:
        return too_long(line, text, content, identity)
    for name, value in {"id": identity or "", **facts}.items():
        if len(value) > LONGEST_TEXT:
            values: dict[str, int | str] = {"length": len(value), "column": name, "most": LONGEST_TEXT}
            return Reject(line, RejectCode.LONG_CELL, content, identity or None, values)
    return Row(line, identity, text, facts)


def too_long(line: int, text: str, content: str, identity: str | None) -> Reject:
    values = {"length": len(text), "most": LONGEST_TEXT}
    return Reject(line, RejectCode.TOO_LONG, content, identity or None, values)


def undecoded(line: int, content: str, encoding: str, place: int) -> Reject:
    values: dict[str, int | str] = {"encoding": encoding.removesuffix("-sig"), "place": place}
    return Reject(line, RejectCode.BYTES, decoded(content), values=values)


def decoded(content: str) -> str:
    """With a replacement character for each byte that could not be decoded."""
    return _SURROGATES.sub("\ufffd", content)


def visible(content: str) -> str:
    """Characters that end or cut a text elsewhere, as their visible symbols."""
    return content.replace("\0", "\u2400").replace("\r", "\u240d")


def plain_content(content: str) -> str:
    return decoded(visible(content))
