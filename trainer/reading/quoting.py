"""Quotes in a table: plain characters, or the quoting of CSV (RFC 4180), where a cell may hold tabs and line breaks.

Read with quoting, a stray quote swallows the rows up to the next one; read without it, a quoted text of several lines
is cut into pieces. So the whole file decides, once.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import NamedTuple

from trainer.errors import DatasetError

LONGEST_CELL = 120_000
"""Characters that a quoted cell of several lines may have; below the limit of the csv module."""
LONGEST_IN_ONE_COLUMN = 20
"""Lines of a quoted cell in a table of one column, where no other sign tells a text of several lines from two stray quotes."""
ENOUGH = 10
"""Rows that must all be quoted if nothing else shows that the quotes are not part of the texts."""


class State(Enum):
    COMPLETE = auto()
    OPEN = auto()
    BROKEN = auto()
    """A quote that opens a cell closes within it."""


class Record(NamedTuple):
    """A row of one or more lines; `line` is the first."""

    line: int
    lines: list[str]
    is_broken: bool = False


@dataclass
class Evidence:
    quoted: int = 0
    """Cells that only a writer of quotes leaves: doubled quotes, or a delimiter inside."""
    of_several_lines: int = 0
    plain: int = 0
    """Quotes that a writer of quotes never leaves."""
    simple: int = 0
    """Rows with cells in quotes that both readings allow."""
    unsure: int = 0

    def judge(self, *, is_header_quoted: bool, least: int) -> bool | None:
        """True for quoted, False for plain, None if undecidable."""
        if self.unsure or (self.plain and self.of_several_lines):
            return None
        if self.plain:
            return None if is_header_quoted or self.quoted >= self.plain else False
        if self.quoted or self.of_several_lines or is_header_quoted:
            return True
        return self.simple >= max(ENOUGH, least)


def is_quoted(path: Path, lines: Iterator[bytes], encoding: str, delimiter: str, *, least: int) -> bool:
    """Whether quotes enclose cells; `least` rows are all rows of the file.

    Lines are bytes of an encoding that contains ASCII: most hold no quote and need not be decoded. Raises DatasetError if
    the quotes of the file can be read in both ways.
    """

    def decoded(line: bytes) -> str:
        return line.decode(encoding).rstrip("\r\n")

    header = next(filter(None, map(decoded, lines)), "").split(delimiter)
    evidence = Evidence()
    following = ((0, decoded(line)) for line in lines)
    for line in lines:
        if b'"' in line:
            _weigh(_record(0, decoded(line), following, delimiter), delimiter, len(header), evidence)
    judged = evidence.judge(is_header_quoted=all(map(_is_whole, header)), least=least)
    if judged is None:
        raise DatasetError(
            "{file}: it cannot be told whether its quotes enclose cells, as a spreadsheet or pandas writes them, "
            "or are part of the texts. Say so with --quoted or --no-quoted.",
            file=path,
        )
    return judged


def records(lines: Iterable[tuple[int, str]], delimiter: str) -> Iterator[Record]:
    """The rows of numbered lines by the rules of quoting; a quote that closes nowhere ends with its file."""
    numbered = iter(lines)
    return (_record(number, line, numbered, delimiter) for number, line in numbered)


def cells_of(content: str, delimiter: str) -> list[str] | None:
    """The cells of a record, its lines joined by line feeds; None if it is not well quoted."""
    if '"' not in content:
        return content.split(delimiter)
    if len(content) > LONGEST_CELL:  # one line: its cells are refused for their length, not for their quotes
        csv.field_size_limit(max(len(content), csv.field_size_limit()))
    try:
        return next(csv.reader([content], delimiter=delimiter, strict=True))
    except csv.Error:
        return None


def state_of(line: str, delimiter: str, *, is_open: bool = False) -> State:
    """`is_open`: the line begins inside a quoted cell."""
    at = 0
    while True:
        if is_open or line.startswith('"', at):
            at = _QUOTED.match(line, at if is_open else at + 1).end()  # type: ignore[union-attr]
            if not line.startswith('"', at):
                return State.OPEN
            at += 1
        else:
            end = line.find(delimiter, at)
            at = len(line) if end < 0 else end
        if at == len(line):
            return State.COMPLETE
        if not line.startswith(delimiter, at):
            return State.BROKEN
        at, is_open = at + 1, False


_QUOTED = re.compile('(?:[^"]++|"")*+')


def _record(number: int, line: str, following: Iterator[tuple[int, str]], delimiter: str) -> Record:
    state = state_of(line, delimiter) if '"' in line else State.COMPLETE
    held = [line]
    if state is State.OPEN:
        state = _close(following, delimiter, held)
    return Record(number, held, state is not State.COMPLETE)


def _close(lines: Iterator[tuple[int, str]], delimiter: str, held: list[str]) -> State:
    """Adds the lines up to the one that closes the cell, and returns its state."""
    length = len(held[0])
    for _number, line in lines:
        held.append(line)
        state = state_of(line, delimiter, is_open=True) if '"' in line else State.OPEN
        length += len(line)
        if state is not State.OPEN or length > LONGEST_CELL:
            return state
    return State.OPEN


def _weigh(record: Record, delimiter: str, width: int, evidence: Evidence) -> None:
    if record.is_broken:
        evidence.plain += 1
    elif len(record.lines) > 1:
        _weigh_lines(record, delimiter, width, evidence)
    else:
        _weigh_line(record, delimiter, evidence)


def _weigh_lines(record: Record, delimiter: str, width: int, evidence: Evidence) -> None:
    cells = cells_of("\n".join(record.lines), delimiter)
    is_row = cells is not None and len(cells) == width
    if width == 1 and is_row:
        is_short = len(record.lines) <= LONGEST_IN_ONE_COLUMN
        evidence.of_several_lines += is_short
        evidence.unsure += not is_short
    elif all(line.count(delimiter) == width - 1 for line in record.lines):
        evidence.plain += 1  # each line is a row of its own
    elif is_row:
        evidence.of_several_lines += 1


def _weigh_line(record: Record, delimiter: str, evidence: Evidence) -> None:
    line = record.lines[0]
    cells = cells_of(line, delimiter)
    if cells is None or '"' in _without_quoted(line, delimiter):
        evidence.plain += 1
    elif len(cells) != line.count(delimiter) + 1 or any('"' in cell for cell in cells):
        evidence.quoted += 1
    else:
        evidence.simple += 1


def _without_quoted(line: str, delimiter: str) -> str:
    quoted = f'(?<![^{delimiter}])"(?:[^"]++|"")*+"(?![^{delimiter}])'
    return re.sub(quoted, "", line)


def _is_whole(cell: str) -> bool:
    return len(cell) > 1 and cell.startswith('"') and cell.endswith('"')
