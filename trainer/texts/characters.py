"""What each character of a post is compared as: the letter or digit it looks like, or nothing at all.

Which letters look alike is Unicode's list (UTS #39, confusables.txt), which the package
confusable-homoglyphs carries. Only letters of the alphabets that lend themselves to it are folded, and
only to Latin letters: Chinese, Japanese and Korean writing stays as it is, and so do 0 and O, 1 and l.
"""

import re
import unicodedata
from collections.abc import Callable
from string import ascii_letters

from confusable_homoglyphs.confusables import confusables_data

_ALPHABETS = frozenset(
    ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "COPTIC", "CHEROKEE", "LISU", "CANADIAN", "DESERET", "OSAGE")
)
"""First words of the names of the letters that are folded."""
_PALOCHKA = "\u04cf"
"""A Cyrillic letter that both looks like l and, in Unicode's list, like i."""
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
"""Marks that go on any letter. Those of one script alone (Thai and Hindi vowels, kana voicing) are spelling."""
_UNSEEN = (
    range(0x115F, 0x1161),  # Hangul fillers
    range(0x180B, 0x1810),  # Mongolian variation selectors
    range(0x2800, 0x2801),  # the Braille pattern without dots
    range(0xFE00, 0xFE10),  # variation selectors
    range(0xE0100, 0xE01F0),
)
"""What prints nothing, though Unicode counts it as neither white space, control nor format."""
_DROPPED = frozenset(code for block in (*_MARKS, *_UNSEEN) for code in block)


class Table(dict[int, str]):
    """A table for `str.translate` that asks once for each character it meets."""

    def __init__(self, becomes: Callable[[str], str]) -> None:
        super().__init__()
        self._becomes = becomes

    def __missing__(self, code: int) -> str:
        self[code] = made = self._becomes(chr(code))
        return made


def fold(character: str) -> str:
    """What a character of a text in NFKD and lower case looks like; nothing if it cannot be seen."""
    if ord(character) in _DROPPED or character.isspace():
        return ""
    if character.isascii():
        return character if character.isprintable() else ""
    if unicodedata.category(character) in {"Cf", "Cc"}:
        return ""
    digit = unicodedata.digit(character, None)
    return str(digit) if digit is not None else _lookalike(character)


def letter(character: str) -> str:
    """The character if words and numbers are written with it, else nothing: punctuation, symbols, emoji."""
    return character if unicodedata.category(character)[0] in "LNM" else ""


def _lookalike(character: str) -> str:
    name = unicodedata.name(character, "")
    if drawn := _DRAWN.fullmatch(name):
        return drawn[1].lower()
    if name.partition(" ")[0] not in _ALPHABETS:
        return character
    if character == _PALOCHKA:
        return "l"
    # The case was taken away before: a small letter also stands for the capital that someone typed.
    return next(iter(_latin(character) + _latin(character.upper())), character)


def _latin(form: str) -> list[str]:
    """The Latin letters it looks like, in lower case."""
    targets = (entry["c"] for entry in confusables_data.get(form, ()))
    return sorted(target.lower() for target in targets if len(target) == 1 and target in ascii_letters)


def reads_as(character: str) -> str:
    """The ASCII letters or digits that a character of another kind is read as, in its case; else nothing.

    Accented letters are not among them: whoever reads sees the accent. Nor are units in one character.
    """
    if character.isascii() or unicodedata.name(character, "").startswith("SQUARE "):
        return ""
    plain = unicodedata.normalize("NFKC", character).strip("(.)")  # one in brackets is one
    if len(plain) == 1 and not plain.isascii():
        plain = _read(plain)
    return plain if plain.isascii() and plain.isalnum() else ""


def _read(character: str) -> str:
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    # Its own form goes before that of its other case: a Greek capital nu reads as N, a small one as v.
    own = _latin(character) if unicodedata.name(character, "").partition(" ")[0] in _ALPHABETS else []
    small = character.casefold()
    read = next(iter(own), "") or (_lookalike(small) if len(small) == 1 else "")
    return read.upper() if character.isupper() else read
