"""The rows of a file of posts in any format."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from trainer.errors import DatasetError
from trainer.reading import objects, table
from trainer.reading.columns import Choice, Columns, columns_of
from trainer.reading.formats import Format, format_of, refuse_unreadable
from trainer.reading.lines import Lines, readable, survey
from trainer.reading.objects import Objects
from trainer.reading.rejects import Reject
from trainer.reading.rows import Row
from trainer.reading.table import layout_of
from trainer.reading.workbooks import sheet
from trainer.reading.workbooks.sheet import Sheet

Entry = Row | Reject


@dataclass
class Source:
    """An open file of posts, and its rows: each is read, or rejected with its line."""

    path: Path
    encoding: str
    columns: Columns
    size: int
    _entries: Iterator[Entry] = field(repr=False)
    _opened: Lines | Objects | Sheet = field(repr=False)

    @property
    def bytes_read(self) -> int:
        return self._opened.bytes_read

    def __iter__(self) -> Iterator[Entry]:
        return self._entries

    def count(self) -> int:
        """All rows, readable or not: of a source that was not read yet, which is at its end afterwards."""
        return self._opened.rows if isinstance(self._opened, Sheet) else sum(1 for _ in self._entries)

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def open_posts(path: Path, choice: Choice | None = None) -> Source:
    """Raises DatasetError if the file cannot be read, lacks a column, or holds no rows."""
    choice = choice or Choice()
    with readable(path):
        source = _OPENERS.get(format_of(path), _open_table)(path, choice)
    try:
        first = next(source._entries, None)
    except DatasetError:
        source._opened.close()
        raise
    if first is None:
        source._opened.close()
        raise DatasetError("{file} has no rows below its header.", file=path)
    source._entries = chain([first], source._entries)
    if choice.renamed:
        source._entries = map(_renaming(dict(choice.renamed)), source._entries)
    return source


def read_names(path: Path, choice: Choice) -> tuple[str, tuple[str, ...]]:
    """Encoding and column names. Raises DatasetError as `open_posts` does."""
    with readable(path):
        kind = format_of(path)
        if kind is Format.JSON:
            return _object_names(path, choice)
        if kind is Format.WORKBOOK:
            return _sheet_names(path, choice)
        known = survey(path, choice.encoding)
        return known.encoding, layout_of(path, kind, known, choice).named


def _renaming(names: Mapping[str, str]) -> Callable[[Entry], Entry]:
    def rename(entry: Entry) -> Entry:
        if isinstance(entry, Reject) or not entry.facts:
            return entry
        return entry._replace(facts={names.get(name, name): cell for name, cell in entry.facts.items()})

    return rename


def _open_table(path: Path, choice: Choice) -> Source:
    known = survey(path, choice.encoding)
    layout = layout_of(path, format_of(path), known, choice)
    columns = columns_of(path, layout.named, choice)
    lines = layout.lines()
    return Source(
        path, known.encoding, columns, path.stat().st_size, table.rows(layout, lines, columns, choice), lines
    )


def _open_objects(path: Path, choice: Choice) -> Source:
    _encoding, names = _object_names(path, choice)
    columns = columns_of(path, names, choice)
    opened = objects.open_objects(path, choice.encoding)
    entries = objects.rows(opened, columns)
    return Source(path, opened.encoding, columns, path.stat().st_size, entries, opened)


def _object_names(path: Path, choice: Choice) -> tuple[str, tuple[str, ...]]:
    opened = objects.open_objects(path, choice.encoding)
    try:
        return opened.encoding, objects.names_of(opened)
    finally:
        opened.close()


def _open_sheet(path: Path, choice: Choice) -> Source:
    refuse_unreadable(path)
    opened = Sheet(path, choice)
    try:
        columns = columns_of(path, opened.named, choice)
    except DatasetError:
        opened.close()
        raise
    entries = sheet.rows(opened, columns, choice)
    return Source(path, opened.encoding, columns, path.stat().st_size, entries, opened)


def _sheet_names(path: Path, choice: Choice) -> tuple[str, tuple[str, ...]]:
    refuse_unreadable(path)
    opened = Sheet(path, choice)
    opened.close()
    return opened.encoding, opened.named


_OPENERS = {Format.JSON: _open_objects, Format.WORKBOOK: _open_sheet}
