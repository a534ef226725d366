"""Workbooks for tests: made by openpyxl, and damaged on purpose."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook


def write_workbook(path: Path, rows: Sequence[Sequence[Any]], **others: Sequence[Sequence[Any]]) -> Path:
    """A workbook with a sheet `Sheet`, and the others by name."""
    workbook = Workbook()
    workbook.active.title = "Sheet"
    for name, lines in {"Sheet": rows, **others}.items():
        sheet = workbook["Sheet"] if name == "Sheet" else workbook.create_sheet(name)
        for line in lines:
            sheet.append(list(line))
    workbook.save(path)
    return path


def with_parts(path: Path, parts: Mapping[str, bytes]) -> Path:
    """The workbook with parts replaced or added."""
    with ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, part in {**content, **parts}.items():
            archive.writestr(name, part)
    return path


SHEET = "xl/worksheets/sheet1.xml"
NAMESPACE = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def sheet_of(rows: bytes) -> bytes:
    return b"<worksheet %b><sheetData>%b</sheetData></worksheet>" % (NAMESPACE, rows)
