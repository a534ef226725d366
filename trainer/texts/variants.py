"""Disguised spellings of known words: by sound (薇信, wx and vx for 微信), by look-alikes, or with characters between.

A match need not be a disguise (威信 is an ordinary word); matches are counted and shown for a person to judge.
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
from trainer.texts.normalisation import normalise
from trainer.texts.word_spans import words

How = Literal["sound", "letters", "look"]
"""Homophones; Latin letters for the sound; look-alikes or inserted characters."""
LONGEST = 6
MOST_READINGS = 16
_CHINESE = re.compile("[\u3400-\u9fff]+")
_LATIN = re.compile("[a-z]{2,24}")
_APART = 2
"""Largest number of characters between two letters of a word."""


@dataclass(frozen=True)
class Variant:
    written: str
    word: str
    how: How


class Variants:
    def __init__(self, vocabulary: Iterable[str]) -> None:
        self._vocabulary = {word for word in map(normalise, vocabulary) if 2 <= len(word) <= LONGEST}
        self._by_sound: dict[tuple[str, ...], str] = {}
        self._by_letters: dict[str, str] = {}
        for word in sorted(self._vocabulary):
            if _CHINESE.fullmatch(word):
                self._add(word)
        self._lengths = sorted({len(sounds) for sounds in self._by_sound})

    def of(self, text: str) -> set[Variant]:
        return {*self._apart(text), *self._sounding(text), *self._latin(text)}

    def _add(self, word: str) -> None:
        for sounds in list(product(*map(readings, word)))[:MOST_READINGS]:
            self._by_sound.setdefault(sounds, word)
            initials = "".join(sound[0] for sound in sounds)
            for written in (initials, initials.replace("w", "v"), "".join(sounds)):
                if written not in self._vocabulary:
                    self._by_letters.setdefault(written, word)

    def _sounding(self, text: str) -> Iterator[Variant]:
        """Within a word or a run of loose characters, never across the boundary of two dictionary words."""
        for run in _runs(text):
            for length in self._lengths:
                for start in range(len(run) - length + 1):
                    written = run[start : start + length]
                    word = self._by_sound.get(tuple(readings(one)[0] for one in written))
                    if word is not None and written not in self._vocabulary:
                        yield Variant(written, word, "sound")

    def _latin(self, text: str) -> Iterator[Variant]:
        for letters in _LATIN.findall(normalise(text)):
            if word := self._by_letters.get(letters):
                yield Variant(letters, word, "letters")

    def _apart(self, text: str) -> Iterator[Variant]:
        """Matches of the normalised text that are spelled differently in the text itself."""
        normal, places = _letters(text)
        for word in self._vocabulary:
            at = normal.find(word)
            while at >= 0:
                begin, end = places[at], places[at + len(word) - 1] + 1
                written = text[begin:end]
                if written.casefold() != word and len(written) <= len(word) + _APART * (len(word) - 1):
                    yield Variant(written, word, "look")
                at = normal.find(word, at + 1)


@lru_cache(maxsize=50_000)
def readings(character: str) -> tuple[str, ...]:
    syllables = pinyin(character, style=Style.NORMAL, heteronym=True, errors="default")
    return tuple(dict.fromkeys(syllables[0])) if syllables else (character,)


def _runs(text: str) -> Iterator[str]:
    """The words of a text that are in the dictionary, and the runs of Chinese characters between them."""
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
    """The normalised letters and digits of a text, and the position of each in it."""
    normal, places = [], []
    for at, character in enumerate(text):
        for one in normalise(character):
            if letter(one):
                normal.append(one)
                places.append(at)
    return "".join(normal), places
