"""What a file holds, by the end of its name and its first bytes: a table, JSON objects, or plain lines."""

import gzip
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO

from trainer.errors import DatasetError


class Format(StrEnum):
    TSV = "tsv"
    CSV = "csv"
    JSON = "json"
    TEXT = "text"
    """Tab-separated, or lines without columns where a reader takes them."""


FORMATS = {
    ".tsv": Format.TSV,
    ".tab": Format.TSV,
    ".csv": Format.CSV,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".json": Format.JSON,
}
SUFFIXES = tuple(end + zipped for end in (*FORMATS, ".txt") for zipped in ("", ".gz"))
GZIP = b"\x1f\x8b"
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of .xlsx and .xls."""


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
    if path.is_dir():
        raise DatasetError("{file} is a folder. Name a file in it.", file=path)
    if not path.is_file():
        raise DatasetError("There is no file {file}.", file=path)
    file = path.open("rb")
    start = file.read(4)
    file.seek(0)
    if start.startswith(WORKBOOKS):
        file.close()
        raise DatasetError(
            "{file} is a workbook of a spreadsheet program. Save its sheet as CSV UTF-8 or as Unicode text.",
            file=path,
        )
    # The file object outlives a GzipFile on it, which tells places of the unpacked bytes.
    is_packed = start.startswith(GZIP)
    return Bytes(gzip.GzipFile(fileobj=file) if is_packed else file, file)  # type: ignore[arg-type]


def _starts_as_json(path: Path) -> bool:
    opened = open_bytes(path)
    try:
        start = opened.stream.read(4096)
    except (OSError, EOFError):
        return False
    finally:
        opened.close()
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:2].rstrip().startswith((b"{", b"[{"))
