"""When an action of a moderation log happened."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

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
"""Columns with the time of the action, in lower case. They come before GENERAL, which may hold the time of the post."""
GENERAL = ("time", "timestamp", "datetime", "date", "created_at", "时间", "日期")
_NAMES = {name: place for place, name in enumerate((*ACTION, *GENERAL))}
_SECONDS = re.compile(r"(1\d{9})(\d{3})?(\.\d+)?", re.ASCII)
"""Seconds since 1970, or milliseconds."""
_PARTS = re.compile(
    r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?(?:[T\s]+(\d{1,2})[:：时](\d{1,2})(?:[:：分](\d{1,2}))?秒?分?)?",
    re.ASCII,
)


def time_column(names: Iterable[str]) -> str | None:
    """The column with the time of an action, None if there is none."""
    columns = [name for name in names if name.strip().lower() in _NAMES]
    return min(columns, key=lambda name: _NAMES[name.strip().lower()], default=None)


def time_in(values: Mapping[str, Any]) -> Any:
    column = time_column(values)
    return None if column is None else values[column]


def moment(value: str) -> datetime | None:
    """Times without a zone count as UTC; None if the value is no time."""
    text = value.strip()
    try:
        if seconds := _SECONDS.fullmatch(text):
            milliseconds = int(seconds[2] or 0) / 1000
            return datetime.fromtimestamp(int(seconds[1]) + milliseconds + float(seconds[3] or 0), UTC)
        if parts := _PARTS.fullmatch(text):
            year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups())
            return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at
