"""Leaving out of the corpus what a model is tested on: it must not have read that before."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainer.texts.duplicates import normalise
from trainer.texts.reading import read_texts

SHARED = 20
"""Characters in a row that are not shared by chance."""
WHOLE = 10
"""A text of fewer characters is a set phrase: only a line that is nothing else is left out for it."""
LINES_AT_ONCE = 8192

Hashes = NDArray[np.uint64]


def read_excluded(paths: Iterable[Path]) -> frozenset[str]:
    """The normalised texts of labelled files."""
    return frozenset(normalise(text) for path in paths for _, text in read_texts(path)) - {""}


class Exclusion:
    """Tells which lines to leave out for some texts.

    Those that are one of them, hold one of at least WHOLE characters, or share SHARED characters in a row
    with one; width, case, white space and invisible characters do not matter.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        """`texts` come normalised."""
        self._texts = frozenset(texts)
        self._by_beginning: defaultdict[int, list[str]] = defaultdict(list)
        for text in self._texts:
            if len(text) >= WHOLE:
                self._by_beginning[int(hash_windows(text, WHOLE)[0])].append(text)
        self._beginnings = np.array(sorted(self._by_beginning), dtype=np.uint64)
        longer = [hash_windows(text, SHARED) for text in self._texts]
        self._stretches = np.unique(np.concatenate([np.zeros(0, dtype=np.uint64), *longer]))

    def keep(self, lines: Iterable[str]) -> Iterator[str]:
        """The lines that are not left out, in order."""
        rest = iter(lines)
        while some := list(islice(rest, LINES_AT_ONCE)):
            dropped = self._find([normalise(line) for line in some]) if self._texts else frozenset()
            yield from (line for number, line in enumerate(some) if number not in dropped)

    def _find(self, lines: list[str]) -> frozenset[int]:
        """Which of the normalised lines to leave out."""
        found = {number for number, line in enumerate(lines) if line in self._texts}
        # Joined by line feeds, which no normalised text holds: no window of a text reaches over one.
        starts = np.cumsum([0, *(len(line) + 1 for line in lines)])
        together = "\n".join(lines)
        for at in np.flatnonzero(is_among(hash_windows(together, WHOLE), self._beginnings)).tolist():
            line = int(np.searchsorted(starts, at, side="right")) - 1
            within, text = at - int(starts[line]), together[at : at + WHOLE]
            texts = self._by_beginning[int(hash_windows(text, WHOLE)[0])]
            if line not in found and any(lines[line].startswith(text, within) for text in texts):
                found.add(line)
        shared = np.flatnonzero(is_among(hash_windows(together, SHARED), self._stretches))
        return frozenset(found | set((np.searchsorted(starts, shared, side="right") - 1).tolist()))


def hash_windows(text: str, size: int) -> Hashes:
    """A hash of every `size` characters in a row, (len(text) - size + 1,), or none where the text is shorter."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    count = max(len(codes) - size + 1, 0)
    factors = np.random.default_rng(size).integers(1, 2**63, size, dtype=np.uint64) * 2 + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for place, factor in enumerate(factors):
        hashes += codes[place : place + count] * factor  # wraps around: arithmetic modulo 2**64
    return hashes


def is_among(hashes: Hashes, known: Hashes) -> NDArray[np.bool_]:
    """Which of the hashes are among the known ones, which are sorted."""
    if not len(known):
        return np.zeros(len(hashes), dtype=bool)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    found: NDArray[np.bool_] = known[place] == hashes
    return found
