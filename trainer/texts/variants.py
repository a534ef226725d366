"""Known words written in another way: by sound (薇信, wx and vx for 微信), by look, with something between. Pure.

Not every find is meant so: 威信 is a word too. They are counted and shown for a person to judge.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

import rjieba
from pypinyin import Style, pinyin

from trainer.texts.characters import letter
from trainer.texts.duplicates import normalise
from trainer.texts.word_spans import words

How = Literal["sound", "letters", "look"]
"""Other characters that sound alike; Latin letters for the sound; look-alikes, or something between."""
LONGEST = 6
MOST_READINGS = 16
_CHINESE = re.compile("[\u3400-\u9fff]+")
_LATIN = re.compile("[a-z]{2,24}")
_APART = 2
"""Characters between two of a word, at most: further apart they are not read as one."""


@dataclass(frozen=True)
class Variant:
    """A piece of a text that stands for a known word."""

    written: str
    word: str
    how: How


class Variants:
    """Finds variants of the known words in texts."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = {word for word in map(normalise, known) if 2 <= len(word) <= LONGEST}
        self._by_sound: dict[tuple[str, ...], str] = {}
        self._by_letters: dict[str, str] = {}
        for word in sorted(self._known):
            if _CHINESE.fullmatch(word):
                self._add(word)
        self._lengths = sorted({len(sounds) for sounds in self._by_sound})

    def of(self, text: str) -> set[Variant]:
        """All in a text, each once."""
        return {*self._apart(text), *self._sounding(text), *self._latin(text)}

    def _add(self, word: str) -> None:
        for sounds in list(product(*map(readings, word)))[:MOST_READINGS]:
            self._by_sound.setdefault(sounds, word)
            initials = "".join(sound[0] for sound in sounds)
            for written in (initials, initials.replace("w", "v"), "".join(sounds)):
                if written not in self._known:
                    self._by_letters.setdefault(written, word)

    def _sounding(self, text: str) -> Iterator[Variant]:
        """In a word or between words: not what the end of one and the beginning of the next happen to hold."""
        for run in _runs(text):
            for length in self._lengths:
                for start in range(len(run) - length + 1):
                    written = run[start : start + length]
                    word = self._by_sound.get(tuple(readings(one)[0] for one in written))
                    if word is not None and written not in self._known:
                        yield Variant(written, word, "sound")

    def _latin(self, text: str) -> Iterator[Variant]:
        for found in _LATIN.findall(normalise(text)):
            if word := self._by_letters.get(found):
                yield Variant(found, word, "letters")

    def _apart(self, text: str) -> Iterator[Variant]:
        """The known word once normalised, but not as it stands in the text."""
        normal, places = _letters(text)
        for word in self._known:
            at = normal.find(word)
            while at >= 0:
                begin, end = places[at], places[at + len(word) - 1] + 1
                written = text[begin:end]
                if written.casefold() != word and len(written) <= len(word) + _APART * (len(word) - 1):
                    yield Variant(written, word, "look")
                at = normal.find(word, at + 1)


@lru_cache(maxsize=50_000)
def readings(character: str) -> tuple[str, ...]:
    """How a character is read, without tones, the commonest first; itself where it is not read."""
    found = pinyin(character, style=Style.NORMAL, heteronym=True, errors="default")
    return tuple(dict.fromkeys(found[0])) if found else (character,)


def _runs(text: str) -> Iterator[str]:
    """The words of a text that the dictionary has, and what stands between them: characters of no word it knows."""
    before, run = -1, ""
    for start, end in words(text):
        word = text[start:end]
        is_loose = _CHINESE.fullmatch(word) is not None and (len(word) == 1 or not rjieba.has_word(word))
        if is_loose and start == before:
            run += word
        else:
            yield run
            run = word if is_loose else ""
        before = end
        if not is_loose:
            yield word
    yield run


def _letters(text: str) -> tuple[str, Sequence[int]]:
    """The letters and digits of a text as they compare, and where each stands in it."""
    normal, places = [], []
    for at, character in enumerate(text):
        for one in normalise(character):
            if letter(one):
                normal.append(one)
                places.append(at)
    return "".join(normal), places
