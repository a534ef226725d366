"""Runs of combining marks, cut to the length that the stream-safe text format allows (Unicode UAX #15, section 13).

Normalising sorts the marks of a run, which takes time quadratic in its length; no spelling needs more than a few.
"""

import re
import unicodedata
from functools import cache

MOST_MARKS = 30
"""Marks in a row that are kept."""


def cap_marks(text: str) -> str:
    if not has_long_run(text):
        return text
    return _run(MOST_MARKS + 1).sub(lambda run: run[0][:MOST_MARKS], text)


def has_long_run(text: str, *, most: int = MOST_MARKS) -> bool:
    """Whether more than `most` marks follow each other.

    Such a run covers a character whose place is a multiple of its length, so most texts are told by a few characters.
    """
    if len(text) <= most or text.isascii():
        return False
    sample, marks = text[most :: most + 1], _marks()
    if marks.isdisjoint(sample):
        return False
    places = (most + at * (most + 1) for at, character in enumerate(sample) if character in marks)
    return any(_run(most + 1).search(text[place - most : place + most + 1]) for place in places)


@cache
def _run(least: int) -> re.Pattern[str]:
    return re.compile(f"[{''.join(sorted(_marks()))}]{{{least},}}")


@cache
def _marks() -> frozenset[str]:
    """Characters that normalise to a mark: also the voicing signs of half-width kana and three vowels of Tibetan."""
    codes = (code for code in range(0x300, 0x20000) if unicodedata.combining(_first(chr(code))))
    return frozenset(map(chr, codes))


def _first(character: str) -> str:
    return unicodedata.normalize("NFKD", character)[0]
