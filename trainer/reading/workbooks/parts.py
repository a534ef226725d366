"""What a workbook holds, counted before it is read: openpyxl keeps string tables and styles in memory, and fills gaps.

A workbook is a ZIP of XML parts. A few kilobytes of them can state more rows, texts or styles than any memory holds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from trainer.errors import DatasetError

MOST_PARTS = 2_000
MOST_BYTES = 512 << 20
"""Unpacked, of all parts together."""
MOST_TEXTS = 2_000_000
"""Different texts, which are in memory while the workbook is read."""
MOST_ELEMENTS = {"worksheet": 30_000_000, "sst": 4 * MOST_TEXTS}
MOST_OTHER_ELEMENTS = 200_000
"""Of a part that is read as a whole, such as the styles; and of a sheet, besides its cells."""
MOST_ROWS = 1 << 20
MOST_CELLS = 1 << 14
LONGEST_CELL = 1 << 20
"""Characters."""
BLOCK = 1 << 16
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_TEXTS = re.compile(r"xl/sharedStrings\.xml", re.IGNORECASE)
_PLACES = {"worksheet": _SHEET, "sst": _TEXTS}
_KINDS = {"worksheet": "worksheet+xml", "sst": "sharedStrings+xml"}
_CELL = re.compile(r"([A-Z]{1,3})\d{1,7}", re.ASCII)


@dataclass
class SheetSize:
    """Rows and columns up to the last ones with a value."""

    filled: int = 0
    rows: int = 0
    width: int = 0


def measured(path: Path) -> dict[str, SheetSize]:
    """The sheets by the names of their parts. Raises DatasetError if the workbook is damaged or too large."""
    try:
        with ZipFile(path) as archive:
            return dict(_sheets(path, archive))
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise unreadable(path) from error


def unreadable(path: Path) -> DatasetError:
    return DatasetError(
        "{file} cannot be read as an .xlsx workbook: it is damaged, protected by a password, or of another kind. "
        "Save it again as .xlsx without a password, or as CSV UTF-8.",
        file=path,
    )


def too_large(path: Path) -> DatasetError:
    return DatasetError(
        "{file} holds more than is read of a workbook. Save its sheet as CSV UTF-8 and import that.",
        file=path,
    )


def _sheets(path: Path, archive: ZipFile) -> Iterator[tuple[str, SheetSize]]:
    parts = archive.infolist()
    names = [part.filename for part in parts]
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_BYTES:
        raise too_large(path)
    if len(set(names)) < len(names):
        raise unreadable(path)
    for name in names:
        with archive.open(name) as part:  # reads no more than the size that the part states
            counter = _Counter(path, name)
            counter.read(part)
        if counter.root == "worksheet":
            yield name, counter.sheet


class _Counter:
    """Counts the elements of one part, and those of a sheet by row and column. Keeps none of them."""

    def __init__(self, path: Path, name: str) -> None:
        self.root = ""
        self.sheet = SheetSize()
        self._path, self._name = path, name
        self._elements = self._others = self._characters = 0
        self._row = self._column = 0
        self._is_filled = False
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.StartElementHandler = self._start
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse

    def read(self, part: IO[bytes]) -> None:
        try:
            while block := part.read(BLOCK):
                self._parser.Parse(block, False)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            # Pictures are no XML; what was counted until here is all that a parser would build of this part.
            if self.root:
                raise unreadable(self._path) from error

    def _start(self, name: str, values: dict[str, str]) -> None:
        tag = name.rpartition("}")[2]
        if not self.root:
            self._begin(tag)
        self._elements += 1
        self._characters = 0
        if self._elements > MOST_ELEMENTS.get(self.root, MOST_OTHER_ELEMENTS):
            raise too_large(self._path)
        if self.root == "worksheet":
            self._in_sheet(tag, values)
        elif tag == "Override":
            self._check_kind(values)

    def _begin(self, tag: str) -> None:
        self.root = tag
        # A sheet in the place of another part would be read into memory as a whole.
        for root, place in _PLACES.items():
            if (tag == root) != (place.fullmatch(self._name) is not None):
                raise unreadable(self._path)

    def _check_kind(self, values: dict[str, str]) -> None:
        for root, place in _PLACES.items():
            is_there = place.fullmatch(values.get("PartName", "").lstrip("/")) is not None
            if is_there and not values.get("ContentType", "").endswith(_KINDS[root]):
                raise unreadable(self._path)

    def _in_sheet(self, tag: str, values: dict[str, str]) -> None:
        if tag == "c":
            self._column = self._column_of(values.get("r"))
        elif tag in {"v", "is"}:
            self._fill()
        elif tag == "row":
            self._begin_row(values.get("r"))
        elif tag not in {"f", "t", "r", "rPr"}:
            self._others += 1
            if self._others > MOST_OTHER_ELEMENTS:
                raise too_large(self._path)

    def _begin_row(self, number: str | None) -> None:
        row = self._row + 1 if number is None else int(number) if number.isdecimal() else 0
        if not self._row < row <= MOST_ROWS:  # openpyxl drops rows that are out of order, and fills gaps
            raise unreadable(self._path)
        self._row, self._column, self._is_filled = row, 0, False

    def _column_of(self, place: str | None) -> int:
        if place is None:
            column = self._column + 1
        elif (match := _CELL.fullmatch(place)) is None:
            raise unreadable(self._path)
        else:
            column = 0
            for letter in match[1]:
                column = column * 26 + ord(letter) - 64
        if not self._column < column <= MOST_CELLS:
            raise unreadable(self._path)
        return column

    def _fill(self) -> None:
        sheet = self.sheet
        sheet.filled += not self._is_filled
        sheet.rows, sheet.width = self._row, max(sheet.width, self._column)
        self._is_filled = True

    def _text(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > LONGEST_CELL:
            raise too_large(self._path)

    def _refuse(self, *_: object) -> None:
        raise unreadable(self._path)
