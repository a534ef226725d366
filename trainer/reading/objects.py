"""JSON objects of a file: one a line, or one array of them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from trainer.errors import DatasetError
from trainer.reading.array import elements
from trainer.reading.columns import MOST_COLUMNS, Columns
from trainer.reading.encoding import endless_line, misfit
from trainer.reading.lines import Lines, Survey, survey
from trainer.reading.marks import cap_marks
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import (
    EMPTY,
    NO_FACTS,
    Row,
    checked,
    identity_of,
    plain_content,
    plain_text,
    undecoded,
    unusable_text,
)
from trainer.reading.values import DECODER, RepeatedKey

LOOKED_AT = 100
"""Objects whose keys count as the columns of the file."""
_SPACE = " \t\r\n"
Parsed = tuple[int, object]
"""Line, or place in the array, counted from 1; and its value, NotJson, or a Reject if it cannot be used."""


@dataclass(frozen=True)
class NotJson:
    problem: str
    content: str


class Objects:
    """The values of a file, in order. Close it."""

    def __init__(self, known: Survey, *, is_array: bool) -> None:
        self.path, self.encoding = known.path, known.encoding
        self._has_bad_bytes = known.has_bad_bytes
        self.is_array = is_array
        self._lines = Lines(known)

    @property
    def bytes_read(self) -> int:
        return self._lines.bytes_read

    def close(self) -> None:
        self._lines.close()

    def __iter__(self) -> Iterator[Parsed]:
        values = (
            enumerate(elements(self.path, self._lines.text), start=1) if self.is_array else self._each_line()
        )
        return ((number, _without_repeats(number, value)) for number, value in values)

    def _each_line(self) -> Iterator[Parsed]:
        for number, line in self._lines:
            if not line or line.isspace():
                continue
            if self._has_bad_bytes and misfit(line) is not None:
                yield number, undecoded(number, line, self.encoding, self._lines.places[number])
            else:
                yield number, _value(line)


def open_objects(path: Path, encoding: str | None = None) -> Objects:
    """Raises DatasetError if the file cannot be decoded, or not be read."""
    known = survey(path, encoding)
    is_array = _first_character(known) == "["
    if known.is_endless and not is_array:
        raise endless_line(path)
    if is_array and known.has_bad_bytes:
        raise DatasetError(
            "{file} has bytes that are not {encoding}. Correct them, or write one object a line.",
            file=path,
            encoding=known.encoding,
        )
    return Objects(known, is_array=is_array)


def names_of(objects: Objects) -> tuple[str, ...]:
    """The keys of the first objects, in order. Raises DatasetError without any, or with too many."""
    first = (value for _, value in islice(objects, LOOKED_AT) if isinstance(value, dict))
    names = tuple(dict.fromkeys(key for value in first for key in value))
    if not names:
        raise DatasetError(
            "{file} holds no JSON objects: write one a line, or one array of them.", file=objects.path
        )
    if len(names) > MOST_COLUMNS:
        raise DatasetError(
            "{file} has {found} columns; at most {most} are read.",
            file=objects.path,
            found=len(names),
            most=MOST_COLUMNS,
        )
    return names


def rows(objects: Objects, columns: Columns) -> Iterator[Row | Reject]:
    for line, value in objects:
        if isinstance(value, Reject):
            yield value
        elif isinstance(value, dict):
            yield _row(line, value, columns)
        else:
            content = value.content if isinstance(value, NotJson) else json.dumps(value, ensure_ascii=False)
            yield Reject(line, RejectCode.NOT_JSON, plain_content(content))


def _row(line: int, value: Mapping[str, object], columns: Columns) -> Row | Reject:
    content = plain_content(json.dumps(value, ensure_ascii=False))
    identity = identity_of(value.get(columns.id)) if columns.id else None
    if columns.id and identity is None:
        return Reject(line, RejectCode.ID_KIND, content)
    text = value.get(columns.text) if columns.text else ""
    unusable = unusable_text(line, text, content, identity or None) if columns.text else None
    if unusable is not None:
        return unusable
    if identity == "":
        return Reject(line, RejectCode.NO_ID, content)
    return checked(line, identity, plain_text(str(text)), _facts(value, {columns.id, columns.text}), content)


def _facts(value: Mapping[str, object], left_out: set[str | None]) -> Mapping[str, str]:
    written = {name: _written(cell) for name, cell in value.items() if name not in left_out}
    facts = {plain_content(name): cell for name, cell in written.items() if cell not in EMPTY}
    return facts or NO_FACTS


def _written(cell: object) -> str:
    if cell is None:
        return ""
    return cap_marks(plain_content(cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)))


def _without_repeats(number: int, value: object) -> object:
    if not isinstance(value, RepeatedKey):
        return value
    content = plain_content(json.dumps(value, ensure_ascii=False))
    return Reject(number, RejectCode.REPEATED_KEY, content, values={"key": plain_content(value.key)})


def _value(line: str) -> object:
    try:
        return DECODER.decode(line.lstrip("\ufeff"))
    except (ValueError, RecursionError) as error:
        return NotJson(str(error), line)


def _first_character(known: Survey) -> str:
    lines = Lines(known)
    try:
        return next((start for start in iter(lambda: lines.text.read(1), "") if start not in _SPACE), "")
    finally:
        lines.close()
