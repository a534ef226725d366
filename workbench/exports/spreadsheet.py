"""CSV for spreadsheets: decoded as UTF-8, and no cell is run as a formula."""

import csv
import io
from collections.abc import Iterable, Iterator

BOM = "\ufeff"
"""Starts the file; without it Excel assumes another encoding than UTF-8."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_lines(rows: Iterable[Iterable[object]], *, delimiter: str = ",") -> Iterator[str]:
    yield BOM
    for row in rows:
        line = io.StringIO()
        cells = [not_a_formula(cell) if isinstance(cell, str) else cell for cell in row]
        csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(cells)
        yield line.getvalue()


def not_a_formula(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
