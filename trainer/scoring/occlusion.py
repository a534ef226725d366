"""The words of a text that carry its predicted label.

Occlusion (Zeiler and Fergus, 2014; for text Li et al., 2016): leave out one piece at a time and measure how
far the probability of the most likely label falls. Only probabilities are needed. A word that occurs twice is
left out once at a time, so repeated words may seem to carry little.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trainer.texts.word_spans import Span, words

PIECES = 32
"""Largest number of variants of a text, each without one piece; in a longer text a piece is several words."""
SHOWN = 3
LEAST_DROP = 0.02
"""Smaller drops are not shown."""

Score = Callable[[Sequence[str]], NDArray[np.floating]]
"""Texts to one row of calibrated probabilities each."""


class Influence(NamedTuple):
    """Characters [start, end) of the text, and the drop of the most likely label's probability without them."""

    start: int
    end: int
    drop: float


def influential_spans(texts: Sequence[str], score: Score) -> list[list[Influence]]:
    """For each text at most SHOWN pieces, largest drop first.

    All texts are scored in one call; a second call refines the pieces of the longer ones.
    """
    cuts = [words(text) for text in texts]
    heaviest = _heaviest(texts, [list(_merged(cut, PIECES)) for cut in cuts], score)
    closer = [
        _inside(pieces, cut) if len(cut) > PIECES else [] for pieces, cut in zip(heaviest, cuts, strict=True)
    ]
    # A larger piece is kept if no smaller piece of it carries the label alone.
    return [near or far for near, far in zip(_heaviest(texts, closer, score), heaviest, strict=True)]


def _heaviest(texts: Sequence[str], pieces: Sequence[Sequence[Span]], score: Score) -> list[list[Influence]]:
    """Texts without pieces are not scored."""
    asked = [
        variant
        for text, spans in zip(texts, pieces, strict=True)
        if spans
        for variant in (text, *(text[:start] + text[end:] for start, end in spans))
    ]
    rows = iter(score(asked) if asked else ())
    return [_ranked(spans, rows) if spans else [] for spans in pieces]


def _ranked(spans: Sequence[Span], rows: Iterator[NDArray[np.floating]]) -> list[Influence]:
    """Consumes the row of the whole text and one row per span."""
    whole = next(rows)
    label = int(whole.argmax())
    weighed = [Influence(start, end, float(whole[label] - next(rows)[label])) for start, end in spans]
    weighty = [piece for piece in weighed if piece.drop >= LEAST_DROP]
    return sorted(weighty, key=lambda piece: -piece.drop)[:SHOWN]


def _inside(pieces: Sequence[Influence], cut: Sequence[Span]) -> list[Span]:
    """The words of these pieces, merged to at most PIECES in total."""
    parts = [[span for span in cut if piece.start <= span[0] < piece.end] for piece in pieces]
    return [smaller for part in parts for smaller in _merged(part, PIECES // len(pieces))]


def _merged(cut: Sequence[Span], most: int) -> Iterator[Span]:
    """Neighbours joined into at most `most` spans."""
    together = -(-len(cut) // most)
    for first in range(0, len(cut), together or 1):
        part = cut[first : first + together]
        yield part[0][0], part[-1][1]
