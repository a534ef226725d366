"""What a file holds, by the end of its name and its first bytes: a table, JSON objects, or plain lines."""

import gzip
import zlib
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from trainer.errors import DatasetError


class Format(StrEnum):
    TSV = "tsv"
    CSV = "csv"
    JSON = "json"
    WORKBOOK = "xlsx"
    TEXT = "text"
    """Tab-separated, or lines without columns where a reader takes them."""


WORKBOOK = ".xlsx"
FORMATS = {
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".csv": Format.CSV,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".json": Format.JSON,
    WORKBOOK: Format.WORKBOOK,
}
_TEXTS = (*(end for end in FORMATS if end != WORKBOOK), ".txt")
SUFFIXES = (*(end + zipped for end in _TEXTS for zipped in ("", ".gz")), WORKBOOK)
GZIP = b"\x1f\x8b"
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of .xlsx and .zip, and of .xls."""
NOT_TEXT = (
    *WORKBOOKS,
    *(b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8"),
    *(b"Rar!", b"7z\xbc\xaf", b"\xfd7zXZ", b"BZh91AY&SY", b"\x28\xb5\x2f\xfd"),
    *(b"SQLite format 3\0", b"PAR1"),
)
"""First bytes of workbooks, documents, pictures, archives and databases."""
LONGEST_MARK = max(map(len, NOT_TEXT))


@dataclass
class Bytes:
    """The bytes of a file, unpacked; `read` counts those of the file itself."""

    stream: IO[bytes]
    file: IO[bytes]

    @property
    def read(self) -> int:
        return self.file.tell()

    def close(self) -> None:
        self.stream.close()
        self.file.close()


def format_of(path: Path) -> Format:
    """By the name, in any case and before `.gz`; JSON also by its first character, if the name does not say."""
    name = path.name.lower().removesuffix(".gz")
    known = FORMATS.get(Path(name).suffix)
    if known is not None:
        return known
    return Format.JSON if _starts_as_json(path) else Format.TEXT


def open_bytes(path: Path) -> Bytes:
    """Raises DatasetError unless `path` is a file that may hold text."""
    refuse_unreadable(path)
    file = path.open("rb")
    start = file.read(LONGEST_MARK)
    file.seek(0)
    is_packed = start.startswith(GZIP)
    inner = _unpacked_start(file) if is_packed else start
    if inner.startswith(NOT_TEXT) or (is_packed and inner.startswith(GZIP)):
        file.close()
        raise _not_text(path, inner)
    # The file object outlives a GzipFile on it, which tells places of the unpacked bytes.
    return Bytes(gzip.GzipFile(fileobj=file) if is_packed else file, file)  # type: ignore[arg-type]


def _unpacked_start(file: IO[bytes]) -> bytes:
    """Empty if it is damaged, which the reader of the whole notices."""
    start = b""
    with suppress(OSError, EOFError, zlib.error):
        start = gzip.GzipFile(fileobj=file).read(LONGEST_MARK)
    file.seek(0)
    return start


def refuse_unreadable(path: Path) -> None:
    if path.is_dir():
        raise DatasetError("{file} is a folder. Name a file in it.", file=path)
    if not path.exists():
        raise DatasetError("There is no file {file}.", file=path)
    if not path.is_file():
        raise DatasetError(
            "{file} is a pipe or a device: it cannot be read twice. Write its content to a file.", file=path
        )


def _not_text(path: Path, start: bytes) -> DatasetError:
    if start.startswith(WORKBOOKS):
        return DatasetError(
            "{file} is a workbook of a spreadsheet program, or an archive. Save it as .xlsx or its sheet as CSV UTF-8, "
            "or unpack the archive.",
            file=path,
        )
    return DatasetError(
        "{file} holds no text: it is an archive, a document, a picture or a database. Write its posts to a text file.",
        file=path,
    )


def _starts_as_json(path: Path) -> bool:
    opened = open_bytes(path)
    try:
        start = opened.stream.read(4096)
    except (OSError, EOFError, zlib.error):
        return False
    finally:
        opened.close()
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:2].rstrip().startswith((b"{", b"[{"))
