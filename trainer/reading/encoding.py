"""The encoding of a file: by its mark, by its zero bytes, else by what its bytes look like as text."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trainer.errors import DatasetError
from trainer.reading.formats import open_bytes
from trainer.reading.languages import CHINESE, ENOUGH, FREQUENT, LIKELY, credits, outside_ascii

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""A mark of UTF-32 begins with one of UTF-16, so it comes first."""
ENCODINGS = ("utf-8", "utf-8-sig", "gb18030", "utf-16")
PROBE_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 14
MOST_LINE = 1 << 24
"""Characters of a line that is read into memory."""
LINES = re.compile(r"[^\r\n]*(?:\r\n|\n|\r(?=[^\n]))")
LAST_LINES = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
ESCAPE = "trainer.reading"
"""Name of the error handler that turns undecodable bytes into lone surrogates, which mark their line."""


@dataclass(frozen=True)
class Tally:
    """Lines of a file, those with characters outside ASCII, those that cannot be decoded, and the first such byte."""

    lines: int
    written: int
    bad: int
    byte: int
    line: int

    @property
    def is_usable(self) -> bool:
        """At most one line in a hundred is bad, or a single one, and most lines outside ASCII are good."""
        return self.bad <= max(1, self.lines // 100) and self.bad * 2 <= self.written


def marked_encoding(path: Path) -> str | None:
    """The encoding by byte order mark, or by the zero bytes of UTF-16; None without either."""
    opened = open_bytes(path)
    try:
        start = opened.stream.read(1 << 16)
    finally:
        opened.close()
    return next((name for mark, name in BOMS if start.startswith(mark)), None) or _utf_16(start)


def likely_encoding(path: Path) -> str:
    """UTF-8 or GB18030, of a file that is not wholly UTF-8.

    Raises DatasetError if the text does not look like Chinese in GB18030.
    """
    opened = open_bytes(path)
    try:
        sample = _sample(opened.stream)
    finally:
        opened.close()
    return _by_credit(path, sample)


def checked_encoding(encoding: str) -> str:
    """The name of a text codec. Raises DatasetError for any other."""
    try:
        codec = codecs.lookup(encoding)
        "".encode(encoding)  # refuses codecs that are not for text, such as base64
    except LookupError as error:
        raise DatasetError(
            "There is no text encoding called {encoding}. Try one of: {known}.",
            encoding=encoding,
            known=", ".join(ENCODINGS),
        ) from error
    return "utf-8-sig" if codec.name == "utf-8" else encoding


def tally(path: Path, encoding: str) -> Tally:
    """Decodes the whole file line by line."""
    opened = open_bytes(path)
    try:
        return _tally(numbered_bytes(path, opened.stream, encoding), encoding)
    finally:
        opened.close()


def _tally(numbered: Iterator[tuple[int, str]], encoding: str) -> Tally:
    lines = written = bad = first_byte = first_line = 0
    for byte, line in numbered:
        lines += 1
        if line.isascii():
            continue
        written += 1
        place = misfit(line)
        if place is not None:
            bad += 1
            if bad == 1:
                first_byte, first_line = byte + width_of(line[:place], encoding), lines
    return Tally(lines, written, bad, first_byte, first_line)


def numbered_bytes(path: Path, stream: IO[bytes], encoding: str) -> Iterator[tuple[int, str]]:
    """Place of the first byte, and text, of each line; undecodable bytes are lone surrogates."""
    decode = codecs.getincrementaldecoder(encoding)(escape(encoding)).decode
    byte, rest, is_last = _mark_of(path), "", False
    while not is_last:
        block = stream.read(PROBE_BYTES)
        is_last = not block
        text = rest + decode(block, is_last)
        end = 0
        for match in (LAST_LINES if is_last else LINES).finditer(text):
            end = match.end()
            yield byte, match[0]
            byte += width_of(match[0], encoding)
        rest = text[end:]
        if len(rest) > MOST_LINE:
            raise endless_line(path)


def endless_line(path: Path) -> DatasetError:
    return DatasetError(
        "{file} has a line of more than {most} characters: it is not a file of posts.",
        file=path,
        most=MOST_LINE,
    )


def misfit(line: str) -> int | None:
    """Place of the first character that stands for an undecodable byte."""
    if line.isascii():
        return None
    return next((at for at, character in enumerate(line) if "\ud800" <= character <= "\udfff"), None)


def width_of(text: str, encoding: str) -> int:
    """Bytes of decoded text; a lone surrogate stands for one unit."""
    name = codecs.lookup(encoding).name
    plain = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)
    return len(text.encode(plain, "replace"))


def escape(encoding: str) -> str:
    """Name of the error handler for an encoding."""
    is_windows = codecs.lookup(encoding).name == "gbk"
    name = f"{ESCAPE}.cp936" if is_windows else ESCAPE
    codecs.register_error(name, _euro if is_windows else _escaped)
    return name


def _euro(error: UnicodeError) -> tuple[str, int]:
    """Code page 936 of Windows is GBK with the euro sign at 0x80."""
    assert isinstance(error, UnicodeDecodeError)
    if error.object[error.start] == 0x80:
        return "€", error.start + 1
    return _escaped(error)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    unit = {"utf-16": 2, "utf-32": 4}.get(error.encoding[:6].replace("_", "-"), 1)
    return "\udc80" * max(1, (error.end - error.start) // unit), error.end


def refuse(path: Path, encoding: str, counts: Tally) -> DatasetError:
    return DatasetError(
        "{file} is not {encoding}: byte {place} does not fit (line {line}), and {bad} of {lines} lines have such bytes. "
        "Save it as UTF-8, or name its --encoding.",
        file=path,
        encoding=encoding.removesuffix("-sig"),
        place=counts.byte,
        line=counts.line,
        bad=counts.bad,
        lines=counts.lines,
    )


def _by_credit(path: Path, sample: bytes) -> str:
    by_encoding = credits(sample)
    best = max(by_encoding, key=lambda encoding: by_encoding[encoding])
    if best in {"utf-8", "gb18030"} and by_encoding[best] >= CHINESE:
        return best
    if best not in {"utf-8", "gb18030"} and by_encoding[best] >= LIKELY:
        raise DatasetError(
            "{file} is not UTF-8, and its text does not look like Chinese in GB18030 but like {likely}. "
            "Save it as UTF-8, or name its --encoding, such as {likely}.",
            file=path,
            likely=best,
        )
    if outside_ascii(sample, "gb18030") >= ENOUGH:
        raise DatasetError(
            "{file} is not UTF-8, and its text does not look like Chinese in GB18030. "
            "Save it as UTF-8, or name its --encoding.",
            file=path,
        )
    return "gb18030"


def neither(path: Path) -> DatasetError:
    """Names the byte at which the better of the two encodings stops."""
    fits = {name: tally(path, name) for name in ("utf-8", "gb18030")}
    better = min(fits, key=lambda name: (fits[name].bad, -fits[name].byte))
    return DatasetError(
        "{file} is neither UTF-8 nor GB18030: byte {place} (line {line}) does not fit {encoding}, which fits better. "
        "Save it as UTF-8, or name its --encoding.",
        file=path,
        place=fits[better].byte,
        line=fits[better].line,
        encoding={"utf-8": "UTF-8", "gb18030": "GB18030"}[better],
    )


def _utf_16(start: bytes) -> str | None:
    """UTF-16 without a mark: zero bytes are the upper halves of tabs, line ends, digits and Latin letters."""
    zeros = start.count(0)
    if not zeros or (zeros * 4 < len(start) and _is_utf_8(start)):
        return None
    texts = {
        name: start[: len(start) // 2 * 2].decode(name, "replace") for name in ("utf-16-le", "utf-16-be")
    }
    usual = {name: sum(map(_is_usual, text)) for name, text in texts.items()}
    best = max(usual, key=lambda name: usual[name])
    return best if usual[best] * 2 >= zeros and _is_text(texts[best]) else None


def _is_utf_8(start: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


def _is_usual(character: str) -> bool:
    """Read in the wrong order, U+4E00, which is frequent in Chinese, is the letter N."""
    return character in FREQUENT or (
        character.isascii() and (character.isalnum() or character in "\t\r\n ,;_\"'")
    )


def _is_text(text: str) -> bool:
    return "\0" not in text and text.count("\ufffd") * 100 <= len(text)


def _sample(stream: IO[bytes]) -> bytes:
    """Lines with bytes outside ASCII, from the beginning of the file."""
    sample = bytearray()
    while len(sample) < SAMPLE_BYTES and (block := stream.readline(SAMPLE_BYTES)):
        sample += b"".join(line for line in block.splitlines(keepends=True) if not line.isascii())
    return bytes(sample)


def _mark_of(path: Path) -> int:
    opened = open_bytes(path)
    start = opened.stream.read(4)
    opened.close()
    return next((len(mark) for mark, _ in BOMS if start.startswith(mark)), 0)
