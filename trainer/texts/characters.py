"""Folding of characters for comparison: a look-alike becomes its Latin letter or digit, invisible characters vanish.

Look-alikes are those of Unicode (UTS #39, confusables.txt) as packaged by confusable-homoglyphs. Only letters
of alphabets that are used for imitation are folded, and only to Latin letters. Chinese, Japanese and Korean
characters are kept, and so is the difference between 0 and O or 1 and l.
"""

import re
import unicodedata
from collections.abc import Callable
from string import ascii_letters

from confusable_homoglyphs.confusables import confusables_data

_ALPHABETS = frozenset(
    ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "COPTIC", "CHEROKEE", "LISU", "CANADIAN", "DESERET", "OSAGE")
)
"""First words of the Unicode names of the letters that are folded."""
_PALOCHKA = "\u04cf"
"""A Cyrillic letter that looks like l and is listed by Unicode as i."""
_DRAWN = re.compile(
    r"(?:LATIN LETTER SMALL CAPITAL|NEGATIVE (?:CIRCLED|SQUARED) LATIN CAPITAL LETTER) ([A-Z])"
)
_MARKS = (
    range(0x0300, 0x0338),  # not U+0338, which makes "unequal" of "equal"
    range(0x0339, 0x0370),
    range(0x0483, 0x048A),
    range(0x1AB0, 0x1B00),
    range(0x1DC0, 0x1E00),
    range(0x20D0, 0x2100),
    range(0xFE20, 0xFE30),
)
"""Marks that combine with any letter. Marks of a single script (Thai and Hindi vowels, kana voicing) are spelling."""
_UNSEEN = (
    range(0x115F, 0x1161),  # Hangul fillers
    range(0x180B, 0x1810),  # Mongolian variation selectors
    range(0x2800, 0x2801),  # the Braille pattern without dots
    range(0xFE00, 0xFE10),  # variation selectors
    range(0xE0100, 0xE01F0),
)
"""Characters that print nothing although Unicode counts them neither as white space nor as control or format."""
_DROPPED = frozenset(code for block in (*_MARKS, *_UNSEEN) for code in block)


class Table(dict[int, str]):
    """A table for `str.translate` that computes the entry of a character on first use."""

    def __init__(self, becomes: Callable[[str], str]) -> None:
        super().__init__()
        self._becomes = becomes

    def __missing__(self, code: int) -> str:
        self[code] = folded = self._becomes(chr(code))
        return folded


def fold(character: str) -> str:
    """The folded form of a character of a text in NFKD and lower case; "" if it is invisible."""
    if ord(character) in _DROPPED or character.isspace():
        return ""
    if character.isascii():
        return character if character.isprintable() else ""
    if unicodedata.category(character) in {"Cf", "Cc"}:
        return ""
    digit = unicodedata.digit(character, None)
    return str(digit) if digit is not None else _lookalike(character)


def letter(character: str) -> str:
    return character if unicodedata.category(character)[0] in "LNM" else ""


def _lookalike(character: str) -> str:
    name = unicodedata.name(character, "")
    if drawn := _DRAWN.fullmatch(name):
        return drawn[1].lower()
    if name.partition(" ")[0] not in _ALPHABETS:
        return character
    if character == _PALOCHKA:
        return "l"
    # The text is in lower case already: a small letter also stands for its capital.
    return next(iter(_latin(character) + _latin(character.upper())), character)


def _latin(form: str) -> list[str]:
    """The Latin letters that it resembles, in lower case."""
    targets = (entry["c"] for entry in confusables_data.get(form, ()))
    return sorted(target.lower() for target in targets if len(target) == 1 and target in ascii_letters)


def reads_as(character: str) -> str:
    """The ASCII letters or digits that a non-ASCII character is read as, in its case; else "".

    Accented letters are excluded, because a reader sees the accent, and so are units that are one character.
    """
    if character.isascii() or unicodedata.name(character, "").startswith("SQUARE "):
        return ""
    plain = unicodedata.normalize("NFKC", character).strip("(.)")  # ⑴ normalises to (1)
    if len(plain) == 1 and not plain.isascii():
        plain = _read(plain)
    return plain if plain.isascii() and plain.isalnum() else ""


def _read(character: str) -> str:
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    # Its own form has precedence over its other case: a Greek capital nu reads as N, a small one as v.
    own = _latin(character) if unicodedata.name(character, "").partition(" ")[0] in _ALPHABETS else []
    small = character.casefold()
    read = next(iter(own), "") or (_lookalike(small) if len(small) == 1 else "")
    return read.upper() if character.isupper() else read
