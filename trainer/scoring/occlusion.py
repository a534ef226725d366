"""Which words of a text carried what a classifier thinks of it: those it thinks so less surely without.

Occlusion (Zeiler and Fergus, 2014; for text Li et al., 2016): leave out one piece at a time and see how far
the probability of the likeliest label falls. It asks nothing of the model but probabilities. A word that
stands twice is left out once, so one that is repeated may seem to carry little.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.texts.word_spans import Span, words

PIECES = 32
"""Variants of a text at most, each without one piece: in a longer text a piece is several words."""
SHOWN = 3
LEAST_DROP = 0.02
"""Below it a piece carried nothing worth pointing at."""

Score = Callable[[Sequence[str]], NDArray[np.floating]]
"""Texts in, one row of calibrated probabilities each out."""


class Carried(NamedTuple):
    """Characters [start, end) of the text, and how much the likeliest label's probability falls without them."""

    start: int
    end: int
    drop: float


def carried(texts: Sequence[str], score: Score) -> list[list[Carried]]:
    """Of each text the pieces that carried its likeliest label, the weightiest first, SHOWN at most.

    All texts are scored in one call, and in a second one the longer ones, to look inside the pieces found.
    """
    cuts = [words(text) for text in texts]
    found = _heaviest(texts, [list(_merged(cut, PIECES)) for cut in cuts], score)
    closer = [
        _inside(pieces, cut) if len(cut) > PIECES else [] for pieces, cut in zip(found, cuts, strict=True)
    ]
    # Where no smaller piece does it alone, the larger one it takes stays.
    return [near or far for near, far in zip(_heaviest(texts, closer, score), found, strict=True)]


def _heaviest(texts: Sequence[str], pieces: Sequence[Sequence[Span]], score: Score) -> list[list[Carried]]:
    """Texts without pieces are not scored."""
    asked = [
        variant
        for text, spans in zip(texts, pieces, strict=True)
        if spans
        for variant in (text, *(text[:start] + text[end:] for start, end in spans))
    ]
    rows = iter(score(asked) if asked else ())
    return [_ranked(spans, rows) if spans else [] for spans in pieces]


def _ranked(spans: Sequence[Span], rows: Iterator[NDArray[np.floating]]) -> list[Carried]:
    """Takes the row of the whole text and one row for each span."""
    whole = next(rows)
    label = int(whole.argmax())
    weighed = [Carried(start, end, float(whole[label] - next(rows)[label])) for start, end in spans]
    weighty = [piece for piece in weighed if piece.drop >= LEAST_DROP]
    return sorted(weighty, key=lambda piece: -piece.drop)[:SHOWN]


def _inside(pieces: Sequence[Carried], cut: Sequence[Span]) -> list[Span]:
    """Smaller pieces of these, no more than PIECES in all."""
    parts = [[span for span in cut if piece.start <= span[0] < piece.end] for piece in pieces]
    return [smaller for part in parts for smaller in _merged(part, PIECES // len(pieces))]


def _merged(cut: Sequence[Span], most: int) -> Iterator[Span]:
    """As many neighbours together as it takes for no more than `most` pieces."""
    together = -(-len(cut) // most)
    for first in range(0, len(cut), together or 1):
        part = cut[first : first + together]
        yield part[0][0], part[-1][1]
