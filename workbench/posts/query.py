"""The words of a search, and where they stand in a text.

Words are separated by white space; quotes make a phrase one word. A post matches if it contains all of them. They
are compared after normalisation, which ignores case, width, white space, invisible characters and look-alikes.
"""

import re
from collections.abc import Iterator, Sequence

from trainer.texts.normalisation import normalise

LONGEST_QUERY = 200
_WORD = re.compile(r'"([^"]*)"|“([^”]*)”|「([^」]*)」|(\S+)')
_SURROGATE = re.compile("[\ud800-\udfff]")

Span = tuple[int, int]
"""Character offsets [start, end)."""


def words_of(query: str) -> list[str]:
    """Normalised, without repetitions. A quote without its counterpart is a plain character."""
    # A command line may pass bytes that are no UTF-8 as surrogates, which the database does not take.
    query = _SURROGATE.sub("\ufffd", query[:LONGEST_QUERY])
    words = ("".join(filter(None, match.groups())) for match in _WORD.finditer(query))
    return [word for word in dict.fromkeys(map(normalise, words)) if word]


def contains(text: str, words: Sequence[str]) -> bool:
    normal = normalise(text)
    return all(word in normal for word in words)


def places(text: str, words: Sequence[str]) -> list[Span]:
    """The parts of the text in which the words stand, in order and without overlap."""
    normal, origins = _origins(text) if words else ("", [])
    spans: list[Span] = []
    for start, end in sorted(span for word in words for span in _finds(normal, word)):
        first, last = origins[start], origins[end - 1] + 1
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    return spans


def excerpt(text: str, words: Sequence[str], most: int, *, ahead: int | None = None) -> str:
    """One line of about `most` characters that shows the first of the words, with at most `ahead` (`most`) up to its end."""
    flat, ahead = " ".join(text.split()), most if ahead is None else ahead
    first = next(iter(places(flat, words)), (0, 0)) if len(flat) > ahead else (0, 0)
    start = 0 if first[1] <= ahead else max(0, first[0] - ahead // 4)
    shown = flat[start : start + most]
    return f"{'…' if start else ''}{shown}{'…' if start + most < len(flat) else ''}"


def _finds(normal: str, word: str) -> Iterator[Span]:
    at = normal.find(word)
    while at >= 0:
        yield at, at + len(word)
        at = normal.find(word, at + 1)


def _origins(text: str) -> tuple[str, list[int]]:
    """The normalised characters of a text, and the position of each in it."""
    pairs = [(one, at) for at, character in enumerate(text) for one in normalise(character)]
    return "".join(one for one, _at in pairs), [at for _one, at in pairs]
