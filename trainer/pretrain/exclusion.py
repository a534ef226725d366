"""Exclusion of evaluation texts from the corpus, so that a model is not tested on text that it was trained on."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.chunks import in_chunks
from trainer.texts.normalisation import normalise
from trainer.texts.reading import read_texts

SHARED = 20
"""Consecutive characters that two texts do not share by chance."""
WHOLE = 10
"""A shorter text is a set phrase: only lines equal to it are excluded."""
LINES_AT_ONCE = 8192

Hashes = NDArray[np.uint64]


def read_excluded(paths: Iterable[Path]) -> frozenset[str]:
    return frozenset(normalise(text) for path in paths for _, text in read_texts(path)) - {""}


class Exclusion:
    """Excludes lines that contain one of some texts.

    A line is excluded if it equals a text, contains one of at least WHOLE characters, or shares SHARED
    consecutive characters with one, all after normalising.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """`texts` are normalised."""
        self._texts = frozenset(texts)
        self._by_beginning: defaultdict[int, list[str]] = defaultdict(list)
        for text in self._texts:
            if len(text) >= WHOLE:
                self._by_beginning[int(hash_windows(text, WHOLE)[0])].append(text)
        self._beginnings = np.array(sorted(self._by_beginning), dtype=np.uint64)
        longer = [hash_windows(text, SHARED) for text in self._texts]
        self._stretches = np.unique(np.concatenate([np.zeros(0, dtype=np.uint64), *longer]))

    def keep(self, lines: Iterable[str]) -> Iterator[str]:
        for some in in_chunks(lines, LINES_AT_ONCE):
            dropped = self._find([normalise(line) for line in some]) if self._texts else frozenset()
            yield from (line for number, line in enumerate(some) if number not in dropped)

    def _find(self, lines: list[str]) -> frozenset[int]:
        """Numbers of the normalised lines to exclude."""
        dropped = {number for number, line in enumerate(lines) if line in self._texts}
        # No normalised text holds a line feed, so no window of a text crosses one.
        starts = np.cumsum([0, *(len(line) + 1 for line in lines)])
        together = "\n".join(lines)
        for at in np.flatnonzero(is_among(hash_windows(together, WHOLE), self._beginnings)).tolist():
            line = int(np.searchsorted(starts, at, side="right")) - 1
            within, text = at - int(starts[line]), together[at : at + WHOLE]
            texts = self._by_beginning[int(hash_windows(text, WHOLE)[0])]
            if line not in dropped and any(lines[line].startswith(text, within) for text in texts):
                dropped.add(line)
        shared = np.flatnonzero(is_among(hash_windows(together, SHARED), self._stretches))
        return frozenset(dropped | set((np.searchsorted(starts, shared, side="right") - 1).tolist()))


def hash_windows(text: str, size: int) -> Hashes:
    """(len(text) - size + 1,) hashes of every `size` consecutive characters; empty for a shorter text."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    count = max(len(codes) - size + 1, 0)
    factors = np.random.default_rng(size).integers(1, 2**63, size, dtype=np.uint64) * 2 + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for place, factor in enumerate(factors):
        hashes += codes[place : place + count] * factor  # arithmetic modulo 2**64
    return hashes


def is_among(hashes: Hashes, listed: Hashes) -> NDArray[np.bool_]:
    if not len(listed):
        return np.zeros(len(hashes), dtype=bool)
    place = np.minimum(np.searchsorted(listed, hashes), len(listed) - 1)
    is_member: NDArray[np.bool_] = listed[place] == hashes
    return is_member
