"""The rows of one sheet of an .xlsx workbook.

Nothing of a workbook is run or fetched: formulas give the value stored with them, links to other files are not followed.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError
from openpyxl import load_workbook
from openpyxl.xml import DEFUSEDXML

from trainer.errors import DatasetError
from trainer.reading.columns import MOST_COLUMNS, Choice, Columns, checked_header, is_header, late_header
from trainer.reading.columns import is_known as is_known_name
from trainer.reading.marks import cap_marks
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import Row, decoded, visible
from trainer.reading.table import LATEST_HEADER, empty, reader_of, refuse_unnamed
from trainer.reading.workbooks.cells import Value, is_moment, is_rounded, written
from trainer.reading.workbooks.parts import SheetSize, measured, too_large, unreadable

ENCODING = "xlsx"
MOST_CHARACTERS = 1 << 31
"""Of all cells together: many cells may state one long text."""
_DAMAGE = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError),
    *(ParseError, BadZipFile, DefusedXmlException, EOFError, NotImplementedError),
)
"""What openpyxl raises at parts that are not as the format defines them."""


class Line(NamedTuple):
    number: int
    values: Sequence[Value]
    cells: list[str]

    @property
    def content(self) -> str:
        return "\t".join(self.cells)


class Sheet:
    """The one sheet of a workbook that holds something, or the one that is chosen. Close it."""

    encoding = ENCODING

    def __init__(self, path: Path, choice: Choice) -> None:
        self.path = path
        self._bytes = path.stat().st_size
        with _reading(path):
            sizes = measured(path)
            self._workbook = _opened(path)
        try:
            with _reading(path):
                self._sheet = self._chosen(sizes, choice)
            self._size = sizes[_part(self._sheet)]
            self._row = 0
            self.names = self._header(choice)
        except BaseException:
            self.close()
            raise

    @property
    def named(self) -> tuple[str, ...]:
        return tuple(filter(None, self.names))

    @property
    def rows(self) -> int:
        """The rows with values below the header."""
        return self._size.filled - 1

    @property
    def bytes_read(self) -> int:
        """By the share of rows that were read: the parts of a workbook do not stand in their order."""
        return self._bytes * self._row // max(1, self._size.rows)

    def close(self) -> None:
        self._workbook.close()

    def __iter__(self) -> Iterator[Line]:
        """The rows that hold something, with the header."""
        characters = 0
        width = min(self._size.width, MOST_COLUMNS + 1)
        with _reading(self.path):
            rows = self._sheet.iter_rows(max_col=width, max_row=self._size.rows)
            for number, row in enumerate(rows, start=1):
                self._row = number
                line = _line(number, row)
                if not any(line.cells):
                    continue
                characters += sum(map(len, line.cells))
                if characters > MOST_CHARACTERS:
                    raise too_large(self.path)
                yield line

    def _chosen(self, sizes: Mapping[str, SheetSize], choice: Choice) -> Any:
        filled = {sheet.title: sheet for sheet in _visible(self._workbook) if sizes[_part(sheet)].filled}
        if not filled:
            raise empty(self.path)
        if choice.sheet in filled:
            sheet = filled[choice.sheet]
        elif choice.sheet is not None or len(filled) > 1:
            raise _no_sheet(self.path, choice.sheet, list(filled))
        else:
            sheet = next(iter(filled.values()))
        sheet.reset_dimensions()
        return sheet

    def _header(self, choice: Choice) -> tuple[str, ...]:
        first, *following = [line.cells for line in islice(self, LATEST_HEADER)] or [[]]
        if not any(map(is_known_name, first)) and not choice.columns & set(first):
            for number, cells in enumerate(following, start=2):
                if is_header(cells):
                    raise late_header(self.path, number, cells)
        names = checked_header(self.path, first, choice)
        if not any(names):
            raise empty(self.path)
        return names


def sheets_of(path: Path) -> tuple[str, ...]:
    """The titles of the sheets that hold something. Raises DatasetError if the workbook cannot be read."""
    with _reading(path):
        sizes = measured(path)
        workbook = _opened(path)
        try:
            return tuple(sheet.title for sheet in _visible(workbook) if sizes[_part(sheet)].filled)
        finally:
            workbook.close()


def rows(sheet: Sheet, columns: Columns, choice: Choice) -> Iterator[Row | Reject]:
    """The rows below the header; `line` is the number of the row in the sheet."""
    read = reader_of(sheet.names, columns, choice)
    text_at = sheet.names.index(columns.text) if columns.text else None
    id_at = sheet.names.index(columns.id) if columns.id else None
    width = len(sheet.names)
    for line in islice(sheet, 1, None):
        if not all(sheet.names):
            refuse_unnamed(sheet.path, sheet.names, line.number, line.cells)
        cells = line.cells + [""] * (width - len(line.cells))
        unusable = _unusable(line, id_at, text_at)
        yield unusable or read(line.number, cells, line.content)


def _unusable(line: Line, id_at: int | None, text_at: int | None) -> Reject | None:
    """Why the program that saved the workbook may have changed what was entered; None if it has not."""
    if id_at is not None and id_at < len(line.values):
        value = line.values[id_at]
        if is_rounded(value):
            return Reject(line.number, RejectCode.ROUNDED, line.content, values={"id": line.cells[id_at]})
        if is_moment(value):
            return Reject(line.number, RejectCode.ID_KIND, line.content)
    if text_at is not None and text_at < len(line.values) and is_moment(line.values[text_at]):
        return Reject(line.number, RejectCode.TEXT_KIND, line.content)
    return None


def _line(number: int, row: Sequence[Any]) -> Line:
    # Errors such as #N/A are no texts.
    values = [None if cell.data_type == "e" else cell.value for cell in row]
    return Line(number, values, [cap_marks(decoded(visible(written(value)))) for value in values])


def _visible(workbook: Any) -> list[Any]:
    return [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]


def _part(sheet: Any) -> str:
    return str(sheet._worksheet_path)  # no public name of the part


def _opened(path: Path) -> Any:
    if not DEFUSEDXML:
        raise RuntimeError("openpyxl does not use defusedxml: OPENPYXL_DEFUSEDXML is set to False")
    # Of styles and extensions, which are not read, and of dates out of range, which are empty here.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"openpyxl\.")
    return load_workbook(path, read_only=True, data_only=True, keep_links=False)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise unreadable(path) from error


def _no_sheet(path: Path, name: str | None, titles: Sequence[str]) -> DatasetError:
    listed = visible(", ".join(titles)[:200])
    if name is None:
        return DatasetError(
            "{file}: its posts may be in any of the sheets {found}. Name one with --sheet.",
            file=path,
            found=listed,
        )
    return DatasetError(
        "{file} has no sheet {name} with something in it; there are: {found}. Name one with --sheet.",
        file=path,
        name=name,
        found=listed,
    )
