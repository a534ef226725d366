"""Word boundaries in a text.

Chinese is segmented by jieba's dictionary. Runs that jieba splits are kept whole: words of other alphabets,
runs of emoji (some of which are several characters), letters with their accents.
"""

import re
import unicodedata
from enum import Enum, auto

import rjieba

from trainer.texts.characters import letter

Span = tuple[int, int]
"""Character offsets [start, end)."""

_CHINESE = re.compile("[\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SKIN_TONES = range(0x1F3FB, 0x1F400)


class _Kind(Enum):
    CHINESE = auto()
    LETTERS = auto()
    SYMBOLS = auto()
    MARKS = auto()
    NEITHER = auto()


_ROWS = {_Kind.LETTERS, _Kind.SYMBOLS}
"""Neighbours of one of these kinds form one word."""


def words(text: str) -> list[Span]:
    """In order, without overlap, without white space and punctuation."""
    spans: list[Span] = []
    before = _Kind.NEITHER
    for token, start, end in rjieba.tokenize(text):
        kind = _kind(token)
        goes_on = kind is _Kind.MARKS or (kind is before and kind in _ROWS)
        before = before if kind is _Kind.MARKS else kind
        if before is _Kind.NEITHER:
            continue
        if goes_on:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans


def _kind(token: str) -> _Kind:
    if all(_is_mark(character) for character in token):
        return _Kind.MARKS
    if _CHINESE.search(token):
        return _Kind.CHINESE
    if any(letter(character) for character in token):
        return _Kind.LETTERS
    if any(unicodedata.category(character) in {"So", "Sc"} for character in token):
        return _Kind.SYMBOLS
    return _Kind.NEITHER


def _is_mark(character: str) -> bool:
    """Whether it modifies the character before it or is invisible: accents, joiners, variants, skin tones."""
    return unicodedata.category(character) in {"Mn", "Mc", "Me", "Cf"} or ord(character) in _SKIN_TONES
