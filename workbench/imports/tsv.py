"""Stream a forum TSV: encoding, columns, rows, and rejects with their line numbers.

Quotes are plain characters: with CSV quoting, a stray quote silently swallows rows. Decoding is strict: an error
names the byte that does not fit.
"""

import codecs
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import TextIOWrapper
from pathlib import Path
from types import MappingProxyType
from typing import IO, NamedTuple

from trainer.messages import Message
from workbench.errors import InputError
from workbench.imports.rejects import Reject, RejectCode

LONGEST_TEXT = 100_000
"""Characters. A longer cell indicates a damaged file."""

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
PROBE_BYTES = 1 << 20
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030", "utf-16")


class Row(NamedTuple):
    line: int
    """From 1, with the header counted."""
    id: str | None
    text: str
    facts: Mapping[str, str]


NO_FACTS: Mapping[str, str] = MappingProxyType({})
"""Shared by all rows without other columns: a dict for each would cost more than reading the row."""


@dataclass(frozen=True)
class Columns:
    """Columns of a file. `text` is empty if there is no text column; all columns but text and id are facts."""

    names: tuple[str, ...]
    text: str
    id: str | None


@dataclass
class Source:
    path: Path
    encoding: str
    columns: Columns
    size: int
    _raw: IO[bytes] = field(repr=False)
    _lines: TextIOWrapper = field(repr=False)

    @property
    def bytes_read(self) -> int:
        return self._raw.tell()

    def __iter__(self) -> Iterator[Row | Reject]:
        read = _reader(self.columns)
        try:
            for line, content in enumerate(self._lines, start=2):
                if content := content.rstrip("\r\n"):
                    yield read(line, content)
        except UnicodeError as error:
            raise _misread(self) from error

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()


def open_tsv(
    path: Path,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    encoding: str | None = None,
    must_have: str | None = None,
    is_text_needed: bool = True,
) -> Source:
    """Open a TSV, determine its encoding and read its header.

    Args:
        encoding: overrides detection (byte order mark, then UTF-8, then GB18030).
        must_have: another required column.
        is_text_needed: False if the id alone may identify a row; its text is then empty.

    Raises:
        InputError: no such file, no header, wrong delimiter, missing or duplicate columns, or an unsuitable
            encoding.
    """
    if path.is_dir():
        raise InputError("{file} is a folder. Name a file in it.", file=path)
    if not path.is_file():
        raise InputError("There is no file {file}.", file=path)
    encoding = detect_encoding(path) if encoding is None else _checked_encoding(encoding)
    raw = path.open("rb")
    # "\n" keeps U+2028 and similar characters inside a text; a carriage return at the end is stripped later.
    lines = TextIOWrapper(raw, encoding=encoding, newline="\n")
    source = Source(path, encoding, Columns((), "", None), path.stat().st_size, raw, lines)
    try:
        header = _header(source)
        source.columns = _columns(path, header, text_column, id_column, must_have, is_text_needed)
    except InputError:
        lines.close()
        raise
    return source


def read_header(path: Path, encoding: str | None) -> tuple[str, tuple[str, ...]]:
    """Encoding and column names. Raises InputError as `open_tsv` does."""
    encoding = detect_encoding(path) if encoding is None else _checked_encoding(encoding)
    with path.open("rb") as raw, TextIOWrapper(raw, encoding=encoding, newline="\n") as lines:
        header = _header(Source(path, encoding, Columns((), "", None), 0, raw, lines))
    return encoding, _names(path, header)


def detect_encoding(path: Path) -> str:
    """The encoding by byte order mark, else UTF-8, else GB18030, decoded over the whole file.

    Raises InputError naming the first byte that is not UTF-8 if neither fits.
    """
    with path.open("rb") as file:
        start = file.read(4)
    for mark, name in BOMS:
        if start.startswith(mark):
            return name
    if b"\0" in start:
        raise InputError(
            "{file} looks like UTF-16 without a byte order mark. Name it with --encoding utf-16-le or utf-16-be.",
            file=path,
        )
    for name in ("utf-8", "gb18030"):
        if _misfit(path, name) is None:
            return name
    raise InputError(
        "{file} is neither UTF-8 nor GB18030: byte {place} fits neither. Save it as UTF-8, or name its --encoding.",
        file=path,
        place=_misfit(path, "utf-8"),
    )


def _misfit(path: Path, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    place = 0
    with path.open("rb") as file:
        while True:
            block = file.read(PROBE_BYTES)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return place - pending + error.start
            except UnicodeError:  # UTF-16 without its byte order mark
                return 0
            if not block:
                return None
            place += len(block)


def _checked_encoding(encoding: str) -> str:
    try:
        codec = codecs.lookup(encoding)
        "".encode(encoding)  # refuses codecs that are not for text, such as base64
    except LookupError as error:
        raise InputError(
            "There is no text encoding called {encoding}. Try one of: {known}.",
            encoding=encoding,
            known=", ".join(ENCODINGS),
        ) from error
    return "utf-8-sig" if codec.name == "utf-8" else encoding


def _columns(
    path: Path,
    header: str,
    text_column: str | None,
    id_column: str | None,
    must_have: str | None,
    is_text_needed: bool,
) -> Columns:
    names = _names(path, header)
    identity = id_column or ("id" if "id" in names else None)
    text = text_column or "text"
    if not is_text_needed and identity and text_column is None and text not in names:
        text = ""
    for name in filter(None, (text, id_column, must_have)):
        if name not in names:
            hint = Message("It has no tab: is it tab-separated? ") if len(names) == 1 else ""
            raise InputError(
                "{file} has no column {name}; its columns are: {found}. {hint}Name yours with --text-column, --id-column or --label-column.",
                file=path,
                name=name,
                found=", ".join(names)[:200],
                hint=hint,
            )
    if identity == text:
        raise InputError("{file}: {name} cannot be both the text and the id.", file=path, name=text)
    return Columns(names, text, identity)


def _names(path: Path, header: str) -> tuple[str, ...]:
    if not header.strip():
        raise InputError("{file} is empty. Its first line must name the columns.", file=path)
    names = tuple(name.strip() for name in header.split("\t"))
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise InputError("{file} has two columns called {name}. Rename one.", file=path, name=min(doubled))
    return names


def _reader(columns: Columns) -> Callable[[int, str], Row | Reject]:
    """The parser of a line, with column positions looked up once: there are millions of lines."""
    names = columns.names
    text_at = names.index(columns.text) if columns.text else None
    id_at = names.index(columns.id) if columns.id else None
    facts_at = [(at, name) for at, name in enumerate(names) if at not in (text_at, id_at)]
    width = len(names)

    def read(line: int, content: str) -> Row | Reject:
        if "\0" in content or "\r" in content:
            # Replaced by their visible symbols.
            content = content.replace("\0", "\u2400").replace("\r", "\u240d")
        cells = content.split("\t")
        if len(cells) != width:
            values = {"expected": width, "found": len(cells)}
            return Reject(line, RejectCode.COLUMNS, content, values=values)
        identity = None if id_at is None else cells[id_at].strip()
        text = "" if text_at is None else cells[text_at]
        if text_at is not None and (not text or text.isspace()):
            return Reject(line, RejectCode.NO_TEXT, content, identity or None)
        if len(text) > LONGEST_TEXT:
            values = {"length": len(text), "most": LONGEST_TEXT}
            return Reject(line, RejectCode.TOO_LONG, content, identity or None, values)
        if identity == "":
            return Reject(line, RejectCode.NO_ID, content)
        facts = {name: cells[at] for at, name in facts_at if cells[at]} if facts_at else NO_FACTS
        return Row(line, identity, text, facts)

    return read


def _header(source: Source) -> str:
    try:
        return next(source._lines, "").rstrip("\r\n")
    except UnicodeError as error:
        raise _misread(source) from error


def _misread(source: Source) -> InputError:
    return InputError(
        "{file} is not {encoding}: byte {place} does not fit. Save it as UTF-8, or name its --encoding.",
        file=source.path,
        encoding=source.encoding.removesuffix("-sig"),
        place=_misfit(source.path, source.encoding),
    )
