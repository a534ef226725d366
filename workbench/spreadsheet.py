"""CSV that people open in a spreadsheet: Chinese is read as Chinese, and no cell is run."""

import csv
import io
from collections.abc import Iterable, Iterator

BYTE_ORDER_MARK = "\ufeff"
"""Without it a spreadsheet takes UTF-8 for something else."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def csv_lines(rows: Iterable[Iterable[object]], *, delimiter: str = ",") -> Iterator[str]:
    """The rows, one line each, text made harmless."""
    yield BYTE_ORDER_MARK
    for row in rows:
        line = io.StringIO()
        cells = [not_a_formula(cell) if isinstance(cell, str) else cell for cell in row]
        csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(cells)
        yield line.getvalue()


def not_a_formula(text: str) -> str:
    """A spreadsheet runs what begins like a formula; a leading quote keeps it text."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
