"""The values of a workbook's cells as text. Of a formula it is the value that was stored with it."""

import math
import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal

MOST_DIGITS = 15
"""Digits of a number that spreadsheet programs keep; libraries that write workbooks keep 16 or all."""
Value = str | int | float | bool | datetime | date | time | timedelta | None
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


def written(value: Value) -> str:
    """Whole numbers without decimals and exponents, days without a time of 0:00."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _unescaped(value)
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d" if value.time() == time() else "%Y-%m-%d %H:%M:%S")
    return str(value).upper() if isinstance(value, bool) else str(value)


def is_rounded(value: Value) -> bool:
    """Whether a number may have had other digits: it has an exponent, or zeros in place of those that were not kept."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) < 10**MOST_DIGITS:
        return False
    return isinstance(value, float) or not str(abs(value))[MOST_DIGITS:].strip("0")


def is_moment(value: Value) -> bool:
    return isinstance(value, date | time | timedelta)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return f"{Decimal(repr(value)):f}".removesuffix(".0")


def _unescaped(text: str) -> str:
    """Excel writes the carriage return of a line break, and other control characters, as _x000D_."""
    if "_x" in text:
        text = _ESCAPED.sub(lambda match: _control(match[0], int(match[1], 16)), text)
    return text.replace("\r\n", "\n")


def _control(written_as: str, code: int) -> str:
    return chr(code) if code < ord(" ") else written_as
