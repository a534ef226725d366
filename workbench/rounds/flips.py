"""Differences between the scores of two rounds: two streams of scores in, counts and the largest changes out.

The streams are read in parallel in the order of post numbers, so memory does not grow with the posts.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainer.labels import LABELS, Label
from trainer.selection.strategies import in_band
from workbench.scores.round_scores import Scores

ENTERED, LEFT = "entered the band", "left the band"


@dataclass(frozen=True)
class Change:
    """One post's probabilities in the two rounds, (labels,) each."""

    post_id: int
    before: NDArray[np.float32]
    after: NDArray[np.float32]


@dataclass
class Flips:
    """`matrix` (labels, labels) counts posts: verdict of the first round in rows, of the second in columns."""

    matrix: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(LABELS),) * 2, np.int64))
    band_before: int = 0
    band_after: int = 0
    entered: int = 0
    left: int = 0
    largest: dict[str, list[Change]] = field(default_factory=dict)
    """By kind of change (`flip_kind` of two labels, ENTERED or LEFT), the largest change of probabilities first."""

    @property
    def posts(self) -> int:
        return int(self.matrix.sum())

    @property
    def changed(self) -> int:
        return self.posts - int(np.trace(self.matrix))


def flip_kind(before: str, after: str) -> str:
    return f"{before} to {after}"


FLIP_KINDS = {flip_kind(one, other): (one, other) for one in LABELS for other in LABELS if one != other}


def find_flips(
    first: Iterable[Scores], second: Iterable[Scores], *, low: float, high: float, most: int = 20
) -> Flips:
    """Compare the posts that both rounds have scored; the band is a confidence from `low` to `high`.

    `most` limits the largest changes kept of each kind.
    """
    flips = Flips()
    for post_ids, before, after in side_by_side(first, second):
        verdicts = before.argmax(axis=1), after.argmax(axis=1)
        cells = np.bincount(verdicts[0] * len(LABELS) + verdicts[1], minlength=len(LABELS) ** 2)
        flips.matrix += cells.reshape(flips.matrix.shape)
        was, is_now = in_band(before, low, high), in_band(after, low, high)
        flips.band_before += int(was.sum())
        flips.band_after += int(is_now.sum())
        flips.entered += int((is_now & ~was).sum())
        flips.left += int((was & ~is_now).sum())
        kinds = {ENTERED: is_now & ~was, LEFT: was & ~is_now}
        for kind, (one, other) in FLIP_KINDS.items():
            kinds[kind] = (verdicts[0] == Label(one).position) & (verdicts[1] == Label(other).position)
        size = np.abs(after - before).sum(axis=1)
        for kind, is_of_kind in kinds.items():
            places = np.flatnonzero(is_of_kind)
            places = places[np.lexsort((post_ids[places], -size[places]))[:most]]
            new = [Change(int(post_ids[at]), before[at].copy(), after[at].copy()) for at in places]
            largest = sorted([*flips.largest.get(kind, ()), *new], key=_largest_first)[:most]
            if largest:
                flips.largest[kind] = largest
    return flips


Paired = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]


def side_by_side(first: Iterable[Scores], second: Iterable[Scores]) -> Iterator[Paired]:
    """Numbers of the posts that both rounds have scored, with both scores; each stream must be ascending."""
    ones, others = iter(first), iter(second)
    one, other = next(ones, None), next(others, None)
    while one is not None and other is not None:
        # Compare up to the smaller end; the rest waits for the next part of the other stream.
        end = min(one.post_ids[-1], other.post_ids[-1]) if len(one.post_ids) and len(other.post_ids) else -1
        common = np.intersect1d(one.post_ids, other.post_ids, assume_unique=True)
        if len(common):
            yield common, one.of(common).probabilities, other.of(common).probabilities
        one = _beyond(one, end) or next(ones, None)
        other = _beyond(other, end) or next(others, None)


def _beyond(scores: Scores, end: int) -> Scores | None:
    start = int(np.searchsorted(scores.post_ids, end, side="right"))
    if start == len(scores.post_ids):
        return None
    return Scores(scores.post_ids[start:], scores.probabilities[start:])


def _largest_first(change: Change) -> tuple[float, int]:
    return -float(np.abs(change.after - change.before).sum()), change.post_id
