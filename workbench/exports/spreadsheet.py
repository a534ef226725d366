"""CSV that people open in a spreadsheet: Chinese is read as Chinese, and no cell is run."""

import csv
import io
from collections.abc import Iterable, Iterator

BOM = "\ufeff"
"""First in the file: without it Excel takes Chinese for another encoding."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_lines(rows: Iterable[Iterable[object]], *, delimiter: str = ",") -> Iterator[str]:
    """The rows, one line each, text made harmless."""
    yield BOM
    for row in rows:
        line = io.StringIO()
        cells = [not_a_formula(cell) if isinstance(cell, str) else cell for cell in row]
        csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(cells)
        yield line.getvalue()


def not_a_formula(text: str) -> str:
    """A spreadsheet runs what begins like a formula; a leading quote keeps it text."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
