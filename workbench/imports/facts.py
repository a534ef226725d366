"""The meaning of the other columns of a forum TSV: board, thread, author, time, link, pictures."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal
from urllib.parse import urlsplit

Meaning = Literal["board", "thread", "thread_id", "author", "time", "link", "pictures"]

COLUMNS: Mapping[Meaning, tuple[str, ...]] = {
    "board": ("board", "forum", "section", "版块", "板块", "论坛"),
    "thread": ("thread", "title", "topic", "主题", "标题", "帖子"),
    "thread_id": ("thread_id", "threadid", "tid", "topic_id", "topicid", "主题id", "主题编号", "话题id"),
    "author": ("author", "user", "username", "作者", "用户", "用户名"),
    "time": ("time", "date", "created_at", "posted_at", "时间", "日期", "发布时间"),
    "link": ("url", "link", "href", "permalink", "链接", "网址"),
    "pictures": ("images", "image", "pictures", "picture", "pics", "pic", "img", "图片", "配图"),
}
"""Names of columns, in lower case. A column that is not listed could hold a moderator's verdict and is never shown."""

LONGEST_LINK = 2_000
MOST_PICTURES = 999
"""A greater number is the id of a picture, not a count."""

_MEANINGS = {name: meaning for meaning, names in COLUMNS.items() for name in names}
_SEPARATORS = re.compile(r"[\s,，;；、|]+")
_NUMBER = re.compile(r"(-?\d{1,18})(?:\.0+)?")
_DATE = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})(?!\d)", re.ASCII)
_SECONDS = re.compile(r"1\d{9}(\d{3})?", re.ASCII)
"""Seconds since 1970, or milliseconds."""
_NO = frozenset(("", "0", "-", "no", "n", "false", "none", "null", "nan", "无", "否", "没有"))


@lru_cache  # an import calls it millions of times with a few columns
def meaning_of(column: str) -> Meaning | None:
    return _MEANINGS.get(column.strip().lower())


def fact_of(facts: Mapping[str, Any], meaning: Meaning) -> str | None:
    return next(_values(facts, meaning), None)


def has_fact(facts: Mapping[str, Any], meaning: Meaning, value: str) -> bool:
    return value in _values(facts, meaning)


def day_of(facts: Mapping[str, Any]) -> date | None:
    """The day of the post; columns hold a date, or seconds or milliseconds since 1970 (UTC)."""
    return next(filter(None, map(_day, _values(facts, "time"))), None)


def link_of(facts: Mapping[str, Any]) -> str | None:
    """An absolute http or https address of the post, without user, password or characters that disguise the host."""
    return next((value for value in _values(facts, "link") if _is_plain_address(value)), None)


def pictures_of(facts: Mapping[str, Any]) -> int:
    return max(map(_count, _values(facts, "pictures")), default=0)


def thread_key(facts: Mapping[str, Any]) -> int | None:
    """A signed 64-bit hash that the posts of one thread share; None without a thread.

    The thread's number takes precedence over its title, which two threads of a board may share. Keys are stored: a
    change of this function separates earlier posts of a thread from later ones.
    """
    values = tuple(
        (meaning, str(value))
        for column, value in facts.items()
        if (meaning := meaning_of(column)) in ("thread_id", "thread", "board")
    )
    return _thread_key(values) if values else None


@lru_cache(maxsize=4_096)  # posts of one thread come together
def _thread_key(values: tuple[tuple[Meaning | None, str], ...]) -> int | None:
    by_meaning: dict[Meaning | None, str] = {}
    for meaning, value in values:
        if value.strip():
            by_meaning.setdefault(meaning, value.strip())
    for meaning in ("thread_id", "thread"):
        if thread := by_meaning.get(meaning):
            hashed = f"{by_meaning.get('board', '')}\0{meaning}\0{thread}".encode("utf-8", "surrogatepass")
            return int.from_bytes(blake2b(hashed, digest_size=8).digest(), signed=True)
    return None


def _values(facts: Mapping[str, Any], meaning: Meaning) -> Iterator[str]:
    values = (str(value).strip() for column, value in facts.items() if meaning_of(column) == meaning)
    return (value for value in values if value)


def _day(value: str) -> date | None:
    try:
        if date_match := _DATE.match(value):
            return date(*map(int, date_match.groups()))
        if _SECONDS.fullmatch(value):
            return datetime.fromtimestamp(int(value[:10]), UTC).date()
    except ValueError:
        pass
    return None


def _is_plain_address(value: str) -> bool:
    # Browsers drop control characters and read a backslash as a slash, so they may open another host than shown.
    if len(value) > LONGEST_LINK or not value.isprintable() or set(value) & set(" \\"):
        return False
    try:
        parts = urlsplit(value)
        is_reachable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and is_reachable and "@" not in parts.netloc


def _count(value: str) -> int:
    if number := _NUMBER.fullmatch(value):
        count = int(number[1])
        return max(count, 0) if count <= MOST_PICTURES else 1
    pieces = [piece.strip("[]\"'").lower() for piece in _SEPARATORS.split(value)]
    # An address may contain a comma, so if there are addresses, only these are counted.
    addresses = [piece for piece in pieces if "://" in piece]
    return len(addresses or [piece for piece in pieces if piece not in _NO])
