"""The lines of a text file: how they end, and which of them cannot be decoded.

A file is surveyed as a whole before it is read, in blocks: what no line of it holds need not be looked for in each.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import TextIOWrapper
from operator import methodcaller
from pathlib import Path

from trainer.errors import DatasetError
from trainer.reading.encoding import (
    MOST_LINE,
    PROBE_BYTES,
    Tally,
    checked_encoding,
    endless_line,
    escape,
    likely_encoding,
    marked_encoding,
    misfit,
    neither,
    numbered_bytes,
    refuse,
    tally,
    width_of,
)
from trainer.reading.formats import open_bytes
from trainer.reading.marks import MOST_MARKS, has_long_run

OPENERS = ('\t"', '\n"', '\r"')
WITH_ASCII = frozenset(("utf-8", "gb18030"))
"""Encodings in which a byte of ASCII stands for itself only, and that need no mark."""
_without_end = methodcaller("rstrip", "\r\n")
_RETURN = "\u240d"
"""The visible symbol of a carriage return inside a text."""


@dataclass(frozen=True)
class Survey:
    """What is known of a whole file before its lines are read."""

    path: Path
    encoding: str
    has_bad_bytes: bool = False
    has_carriage_returns: bool = False
    """Alone, not before a line feed."""
    line_feeds: int = 0
    has_openers: bool = False
    """Quotes at the beginning of a line or of a tab-separated cell."""
    has_long_runs: bool = False
    """Of combining marks."""
    has_nulls: bool = False
    is_endless: bool = False
    """A line is too long to be read into memory."""

    @property
    def is_mixed(self) -> bool:
        """Whether it cannot be told from the character alone where a carriage return ends a line."""
        return self.has_carriage_returns and self.line_feeds > 0


@dataclass(frozen=True)
class Joint:
    """Where a lone carriage return ends a row, in a file that has line feeds too: between two rows of full width.

    Elsewhere it is part of a text. In a table of one column it ends a row if it ends the header.
    """

    delimiter: str
    width: int
    ends_header: bool = False

    def is_within(self, before: str, after: str) -> bool:
        if self.width == 1:
            return not self.ends_header
        return not (self._is_row(before) and self._is_row(after))

    def _is_row(self, line: str) -> bool:
        return line.count(self.delimiter) == self.width - 1


def survey(path: Path, encoding: str | None = None) -> Survey:
    """Reads the whole file in bounded memory. Raises DatasetError if it cannot be decoded, or not be read."""
    with readable(path):
        named = _named(path, checked_encoding(encoding)) if encoding else marked_encoding(path)
        known = _strictly(path, named or "utf-8")
        if known is not None:
            return known
        name = named or likely_encoding(path)
        return (None if named else _strictly(path, name)) or _leniently(
            path, name, is_named=named is not None
        )


class Lines:
    """The numbered lines of a file, without their ends; undecodable bytes are lone surrogates."""

    def __init__(self, known: Survey, joint: Joint | None = None) -> None:
        self._survey = known
        self._joint = joint
        self._opened = open_bytes(known.path)
        is_mac = known.has_carriage_returns and not known.line_feeds
        is_mixed = known.is_mixed
        # With newline="\n", U+2028 and similar characters stay inside a text.
        newline = "\r" if is_mac else "" if is_mixed else "\n"
        self.text = TextIOWrapper(
            self._opened.stream, encoding=known.encoding, errors=escape(known.encoding), newline=newline
        )
        self._is_simple = not is_mixed and not known.has_bad_bytes
        self.places: dict[int, int] = {}
        """Byte of the first misfit of each line that cannot be decoded and was read."""

    @property
    def bytes_read(self) -> int:
        return self._opened.read

    def close(self) -> None:
        self.text.close()
        self._opened.close()

    def __iter__(self) -> Iterator[tuple[int, str]]:
        if not self._is_simple:
            return self._joined()
        return enumerate(map(_without_end, self.text), start=1)

    def raw(self) -> tuple[Iterator[bytes], str]:
        """The lines as bytes, in place of iterating, and an encoding of theirs that contains ASCII."""
        is_plain = self._is_simple and not self._survey.has_carriage_returns
        if is_plain and codecs.lookup(self._survey.encoding).name in WITH_ASCII:
            return iter(self._opened.stream), self._survey.encoding
        return (content.encode("utf-8", "replace") for _, content in self), "utf-8"

    def _joined(self) -> Iterator[tuple[int, str]]:
        number, held = 0, None
        for byte, segment in self._segments():
            content = segment.rstrip("\r\n")
            if held is not None and self._joint is not None and self._joint.is_within(held, content):
                held += _RETURN + content
            else:
                if held is not None:
                    yield number, held
                number, held = number + 1, content
            self._note(number, byte, content)
            if len(held) > MOST_LINE:
                raise endless_line(self._survey.path)
            if not segment.endswith("\r"):
                yield number, held
                held = None
        if held is not None:
            yield number, held

    def _segments(self) -> Iterator[tuple[int, str]]:
        if self._survey.has_bad_bytes:
            return numbered_bytes(self._survey.path, self._opened.stream, self._survey.encoding)
        return ((0, segment) for segment in self.text)

    def _note(self, number: int, byte: int, content: str) -> None:
        if self._survey.has_bad_bytes and (at := misfit(content)) is not None:
            self.places.setdefault(number, byte + width_of(content[:at], self._survey.encoding))


def is_header_ended_by_return(known: Survey) -> bool:
    """Whether a carriage return alone ends the first line that is not empty."""
    opened = open_bytes(known.path)
    with TextIOWrapper(opened.stream, known.encoding, escape(known.encoding), newline="") as text:
        first = next((line for line in text if line.strip("\r\n")), "")
    opened.close()
    return first.endswith("\r")


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns what can be wrong with a file into a DatasetError that names it."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(
            "{file} cannot be read: what is compressed in it is damaged or not complete. Copy or compress it again.",
            file=path,
        ) from error
    except OSError as error:
        problem = error.strerror or error
        raise DatasetError("{path}: cannot be read ({problem})", path=path, problem=problem) from error


def _named(path: Path, encoding: str) -> str:
    """With the order of the bytes, if the name does not say it and no mark does."""
    if codecs.lookup(encoding).name not in {"utf-16", "utf-32"}:
        return encoding
    marked = marked_encoding(path) or ""
    if not marked.startswith(encoding[:3].lower()) or marked.startswith("utf-8"):
        raise refuse(path, encoding, Tally(lines=1, written=1, bad=1, byte=0, line=1))
    return marked


def _strictly(path: Path, encoding: str) -> Survey | None:
    """None if the file has bytes that cannot be decoded."""
    try:
        return _look_through(path, encoding, "strict")
    except UnicodeError:
        return None


def _leniently(path: Path, encoding: str, *, is_named: bool) -> Survey:
    """Raises DatasetError if too many lines cannot be decoded."""
    counts = tally(path, encoding)
    if counts.bad and not counts.is_usable:
        raise refuse(path, encoding, counts) if is_named else neither(path)
    return replace(_look_through(path, encoding, escape(encoding)), has_bad_bytes=counts.bad > 0)


def _look_through(path: Path, encoding: str, errors: str) -> Survey:
    opened = open_bytes(path)
    decode = codecs.getincrementaldecoder(encoding)(errors).decode
    counts = _Counts()
    try:
        while block := opened.stream.read(PROBE_BYTES):
            counts.add(decode(block))
        counts.add(decode(b"", True))
    finally:
        opened.close()
    return Survey(
        path,
        encoding,
        has_carriage_returns=counts.returns > counts.pairs,
        line_feeds=counts.feeds,
        has_openers=counts.has_openers,
        has_long_runs=counts.has_long_runs,
        has_nulls=counts.has_nulls,
        is_endless=counts.is_endless,
    )


@dataclass
class _Counts:
    feeds: int = 0
    returns: int = 0
    pairs: int = 0
    has_openers: bool = False
    has_long_runs: bool = False
    has_nulls: bool = False
    is_endless: bool = False
    _length: int = 0
    _end: str = "\n"
    """The last characters of the block before."""

    def add(self, text: str) -> None:
        border = self._end + text[:MOST_MARKS]
        self.pairs += self._end.endswith("\r") and text.startswith("\n")
        self._end = (self._end + text[-MOST_MARKS:])[-MOST_MARKS:]
        if "\r" in text:
            self.returns += text.count("\r")
            self.pairs += text.count("\r\n")
        feeds = text.count("\n")
        self.feeds += feeds
        self.has_openers = self.has_openers or any(
            opener in part for part in (border, text) for opener in OPENERS
        )
        self.has_long_runs = self.has_long_runs or has_long_run(text) or has_long_run(border)
        self.has_nulls = self.has_nulls or "\0" in text
        self._length = 0 if feeds or "\r" in text else self._length + len(text)
        self.is_endless = self.is_endless or self._length > MOST_LINE


def has_opener(text: str) -> bool:
    return any(opener in text for opener in OPENERS)
