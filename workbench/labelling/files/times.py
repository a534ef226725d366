"""When an action of a moderation log happened."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from trainer.reading.columns import plain

ACTION = (
    "action_time",
    "acted_at",
    "moderated_at",
    "reviewed_at",
    "handled_at",
    "labelled_at",
    "labeled_at",
    "updated_at",
    "操作时间",
    "处理时间",
    "审核时间",
    "处置时间",
    "标注时间",
)
"""Columns with the time of the action. They come before GENERAL, which may hold the time of the post."""
GENERAL = ("time", "timestamp", "datetime", "date", "created_at", "时间", "日期")
_NAMES = {plain(name): place for place, name in enumerate((*ACTION, *GENERAL))}
_SECONDS = re.compile(r"(1\d{9})(\d{3})?(\d{3})?(\.\d+)?", re.ASCII)
"""Seconds since 1970, or milliseconds or microseconds."""
_DATE = r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:\s*(?:星期|周)[一二三四五六日天])?"
_CLOCK = r"(上午|凌晨|下午)?\s*(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})(\.\d+)?)?秒?分?(?:\s*([ap]m))?"
_ZONE = r"\s*(z|utc|gmt|([+-])(\d{2}):?(\d{2}))?"
_PARTS = re.compile(f"{_DATE}(?:(?:t|\\s+|(?<=日)){_CLOCK}{_ZONE})?", re.ASCII)
_AFTERNOON = ("下午", "pm")


def time_column(names: Iterable[str]) -> str | None:
    """The column with the time of an action, None if there is none."""
    columns = [name for name in names if plain(name) in _NAMES]
    return min(columns, key=lambda name: _NAMES[plain(name)], default=None)


def time_in(values: Mapping[str, Any]) -> Any:
    column = time_column(values)
    return None if column is None else values[column]


def moment(value: str) -> datetime | None:
    """Times without a zone count as UTC; None if the value is no time."""
    text = unicodedata.normalize("NFKC", value).strip().casefold()
    try:
        if seconds := _SECONDS.fullmatch(text):
            parts = int(seconds[2] or 0) / 1e3 + int(seconds[3] or 0) / 1e6
            return datetime.fromtimestamp(int(seconds[1]) + parts + float(seconds[4] or 0), UTC)
        if written := _PARTS.fullmatch(text):
            return _written(written)
        at = datetime.fromisoformat(text.upper())
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _written(parts: re.Match[str]) -> datetime:
    """Raises ValueError for a date or a time that does not exist."""
    year, month, day = (int(parts[at]) for at in (1, 2, 3))
    half, hour = parts[4] or parts[9], int(parts[5] or 0)
    if half and hour <= 12:
        hour = hour % 12 + 12 * (half in _AFTERNOON)
    minute, second = int(parts[6] or 0), int(parts[7] or 0)
    at = datetime(year, month, day, hour, minute, second, tzinfo=_zone(parts))
    return at + timedelta(seconds=float(parts[8] or 0))


def _zone(parts: re.Match[str]) -> timezone:
    if not parts[11]:
        return UTC
    ahead = timedelta(hours=int(parts[12]), minutes=int(parts[13]))
    return timezone(-ahead if parts[11] == "-" else ahead)
