"""Long sequences, a part at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def in_chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of `size` values, the last one shorter. Reads no further than what it hands out."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
