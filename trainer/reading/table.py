"""The rows of a table: TSV or CSV, quoted or not."""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from trainer.errors import DatasetError
from trainer.reading import quoting
from trainer.reading.columns import (
    OTHER_IDS,
    TEXT_NAMES,
    Choice,
    Columns,
    checked_header,
    is_header,
    is_known,
    late_header,
    plain,
    unnamed,
)
from trainer.reading.encoding import endless_line, misfit
from trainer.reading.formats import Format
from trainer.reading.lines import Joint, Lines, Survey, is_header_ended_by_return
from trainer.reading.marks import cap_marks
from trainer.reading.quoting import Record, cells_of, records
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import (
    EMPTY,
    LONGEST_EMPTY,
    LONGEST_TEXT,
    NO_FACTS,
    Row,
    checked,
    decoded,
    id_of,
    undecoded,
    visible,
)

Entry = Row | Reject
Read = Callable[[int, list[str], str], Entry]
"""Reads a row from its first line, its cells and its content."""


LATEST_HEADER = 10
"""Lines among which the names of the columns are sought, to say where they are."""


@dataclass(frozen=True)
class Layout:
    """How the cells of a table are separated, with the name of each; a column without a name has an empty one."""

    survey: Survey
    delimiter: str
    is_quoted: bool
    names: tuple[str, ...]
    joint: Joint | None
    has_separator_line: bool = False
    """The first line is `sep=;`, by which Excel is told the delimiter."""

    def lines(self) -> Lines:
        return Lines(self.survey, self.joint)

    def records(self, lines: Lines) -> Iterator[Record]:
        """The header and the rows; `lines` are those of the layout, from their beginning."""
        if self.is_quoted:
            filled = (record for record in records(lines, self.delimiter) if any(record.lines))
        else:
            filled = (Record(line, [content]) for line, content in lines if content)
        return islice(filled, int(self.has_separator_line), None)

    def cells(self, record: Record) -> list[str] | None:
        """None if the record is not well quoted."""
        if not self.is_quoted:
            return record.lines[0].split(self.delimiter)
        return None if record.is_broken else cells_of("\n".join(record.lines), self.delimiter)

    @property
    def named(self) -> tuple[str, ...]:
        return tuple(filter(None, self.names))


def layout_of(path: Path, kind: Format, known: Survey, choice: Choice) -> Layout:
    """Raises DatasetError without a header, or if the quotes of the file can be read in both ways."""
    if known.is_endless:
        raise endless_line(path)
    header = _first_line(path, known)
    separator = _SEPARATOR.fullmatch(header) if kind is Format.CSV else None
    delimiter = (separator[1] if separator else _delimiter(header)) if kind is Format.CSV else "\t"
    width = header.count(delimiter) + 1
    joint = _joint(known, delimiter, width)
    is_quoted = choice.is_quoted
    if is_quoted is None:
        is_quoted = kind is Format.CSV or (known.has_openers and _judge(path, known, joint, delimiter))
    layout = Layout(known, delimiter, is_quoted, (), None if is_quoted else joint, separator is not None)
    names = checked_header(path, _header(path, layout, choice), choice)
    if not any(names):
        raise empty(path)
    layout = replace(layout, names=names)
    if not all(names):
        _refuse_filled(path, layout)
    return layout


def rows(layout: Layout, lines: Lines, columns: Columns, choice: Choice) -> Iterator[Entry]:
    """The rows below the header. `lines` are those of the layout, from their beginning."""
    read = reader_of(layout.names, columns, choice)
    if layout.survey.has_bad_bytes:
        read = _refusing_bytes(read, layout.survey.encoding, lines.places)
    if layout.survey.has_nulls or layout.survey.has_carriage_returns:
        read = _with_symbols(read)
    if layout.survey.has_long_runs:
        read = _with_short_runs(read)
    if layout.is_quoted or layout.has_separator_line:
        yield from _quoted_rows(layout, lines, read)
        return
    delimiter, numbered = layout.delimiter, iter(lines)
    next(content for _, content in numbered if content)  # the header
    for line, content in numbered:
        if content:
            yield read(line, content.split(delimiter), content)


def empty(path: Path) -> DatasetError:
    return DatasetError("{file} is empty. Its first line must name the columns.", file=path)


def _quoted_rows(layout: Layout, lines: Lines, read: Read) -> Iterator[Entry]:
    for record in islice(layout.records(lines), 1, None):
        cells = layout.cells(record)
        if cells is not None:
            yield read(record.line, cells, "\n".join(record.lines))
            continue
        for line, part in enumerate(record.lines, start=record.line):
            yield Reject(line, RejectCode.QUOTES, decoded(visible(part)), values={"opened": record.line})


def reader_of(names: Sequence[str], columns: Columns, choice: Choice) -> Read:
    """The reader of a row, with column positions looked up once: there are millions of rows."""
    text_at = names.index(columns.text) if columns.text else None
    id_at = names.index(columns.id) if columns.id else None
    facts_at = [(at, name) for at, name in enumerate(names) if name and at not in (text_at, id_at)]
    width = len(names)
    text_name, id_name = columns.text, columns.id
    is_text_needed, is_id_needed = choice.is_text_needed, choice.is_id_needed

    def read(line: int, cells: list[str], content: str) -> Entry:
        if len(cells) != width:
            if len(cells) < width or any(cells[width:]):
                values = {"expected": width, "found": len(cells)}
                return Reject(line, RejectCode.COLUMNS, content, values=values)
            cells = cells[:width]
        identity = None if id_at is None else cells[id_at].strip()
        if identity is not None and (len(identity) <= LONGEST_EMPTY or not identity.isprintable()):
            identity = id_of(identity)
        if text_at is None:
            text = ""
        else:
            text = cells[text_at]
            if not text or text.isspace() or (len(text) <= LONGEST_EMPTY and text in EMPTY):
                if is_text_needed or not identity:
                    return Reject(line, RejectCode.NO_TEXT, content, identity or None)
                text = ""
        if (identity == id_name and text.endswith(text_name) and text.strip("\ufeff ") == text_name) or (
            identity in OTHER_IDS and plain(text) in TEXT_NAMES
        ):
            return Reject(line, RejectCode.HEADER, content)
        if identity == "":
            if is_id_needed:
                return Reject(line, RejectCode.NO_ID, content)
            identity = None
        facts = (
            {name: cell for at, name in facts_at if (cell := cells[at]) not in EMPTY}
            if facts_at
            else NO_FACTS
        )
        if len(content) > LONGEST_TEXT:
            return checked(line, identity, text, facts, content)
        return Row(line, identity, text, facts)

    return read


def _refusing_bytes(read: Read, encoding: str, places: Mapping[int, int]) -> Read:
    def read_decoded(line: int, cells: list[str], content: str) -> Entry:
        if misfit(content) is None:
            return read(line, cells, content)
        last = line + content.count("\n")
        place = next(places[number] for number in range(line, last + 1) if number in places)
        return undecoded(line, content, encoding, place)

    return read_decoded


def _with_symbols(read: Read) -> Read:
    def read_visible(line: int, cells: list[str], content: str) -> Entry:
        return read(line, list(map(visible, cells)), visible(content))

    return read_visible


def _with_short_runs(read: Read) -> Read:
    def read_short(line: int, cells: list[str], content: str) -> Entry:
        return read(line, list(map(cap_marks, cells)), content)

    return read_short


def _first_line(path: Path, known: Survey) -> str:
    lines = Lines(known)
    try:
        first = next((content for _, content in lines if content.strip()), None)
    finally:
        lines.close()
    if first is None:
        raise empty(path)
    return first


def _header(path: Path, layout: Layout, choice: Choice) -> list[str]:
    lines = layout.lines()
    try:
        first, *following = islice(layout.records(lines), LATEST_HEADER)
    except ValueError as error:
        raise empty(path) from error
    finally:
        lines.close()
    cells = layout.cells(first)
    if cells is None:
        raise DatasetError(
            "{file}: a quote in its first line does not close properly. Correct it, or say --no-quoted.",
            file=path,
        )
    if not any(map(is_known, cells)) and not choice.columns & set(cells):
        _refuse_late(path, layout, following)
    return cells


def _refuse_late(path: Path, layout: Layout, following: Sequence[Record]) -> None:
    """Raises DatasetError if one of the records names the columns."""
    for record in following:
        cells = layout.cells(record) or []
        if is_header(cells):
            raise late_header(path, record.line, cells)


_SEPARATOR = re.compile('"?sep=([^"])"?', re.IGNORECASE)


def _delimiter(header: str) -> str:
    """The one that occurs most often in the header of a CSV."""
    return max(",;\t", key=header.count)


def _joint(known: Survey, delimiter: str, width: int) -> Joint | None:
    if not known.is_mixed:
        return None
    return Joint(delimiter, width, width == 1 and is_header_ended_by_return(known))


def _judge(path: Path, known: Survey, joint: Joint | None, delimiter: str) -> bool:
    least = max(known.line_feeds - 2, 0)
    lines = Lines(known, joint)
    try:
        raw, encoding = lines.raw()
        return quoting.is_quoted(path, raw, encoding, delimiter, least=least)
    finally:
        lines.close()


def refuse_unnamed(path: Path, names: Sequence[str], line: int, cells: Sequence[str]) -> None:
    """Raises DatasetError if a cell of a column without a name holds something."""
    pairs = enumerate(zip(names, cells, strict=False))
    filled = [at for at, (name, cell) in pairs if not name and cell.strip() not in EMPTY]
    if filled:
        raise unnamed(path, filled, line)


def _refuse_filled(path: Path, layout: Layout) -> None:
    """Raises DatasetError if a column without a name holds something."""
    lines = layout.lines()

    def read(line: int, cells: list[str], content: str) -> Entry:
        refuse_unnamed(path, layout.names, line, cells)
        return Reject(line, RejectCode.COLUMNS, content)

    try:
        deque(_quoted_rows(layout, lines, read), maxlen=0)
    finally:
        lines.close()
