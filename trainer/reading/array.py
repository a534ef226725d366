"""The elements of one JSON array that is longer than memory should hold."""

from collections.abc import Iterator
from io import TextIOBase
from pathlib import Path

from trainer.errors import DatasetError
from trainer.reading.values import DECODER

BLOCK = 1 << 20
LONGEST_ELEMENT = 1 << 24
"""Characters."""
_SPACE = " \t\r\n"


def elements(path: Path, text: TextIOBase) -> Iterator[object]:
    """Raises DatasetError at the first element that is not JSON, and if the array does not end."""
    array = _Array(path, text)
    array.skip("[")
    while array.next_character() != "]":
        array.number += 1
        yield array.element()
        if array.next_character() != "]":
            array.skip(",")
    array.skip("]")
    if array.next_character():
        raise array.problem()


class _Array:
    def __init__(self, path: Path, text: TextIOBase) -> None:
        self.number = 0
        self._path = path
        self._text = text
        self._buffer = ""
        self._at = 0
        self._decode = DECODER.raw_decode

    def skip(self, character: str) -> None:
        if self.next_character() != character:
            raise self.problem()
        self._at += 1

    def next_character(self) -> str:
        """The next one that is not white space; empty at the end of the file."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._read_on():
                return ""

    def element(self) -> object:
        while True:
            try:
                value, end = self._decode(self._buffer, self._at)
            except (ValueError, RecursionError):
                end = len(self._buffer)
            if end < len(self._buffer):  # a number at the end of the block may go on in the next
                self._at = end
                return value
            if len(self._buffer) - self._at > LONGEST_ELEMENT or not self._read_on():
                raise self.problem()

    def problem(self) -> DatasetError:
        return DatasetError(
            "{file} is not valid JSON: element {number} of its array, or what follows it, cannot be read.",
            file=self._path,
            number=self.number,
        )

    def _read_on(self) -> bool:
        block = self._text.read(BLOCK)
        self._buffer, self._at = self._buffer[self._at :] + block, 0
        return bool(block)
