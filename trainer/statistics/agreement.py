"""Agreement between annotators who judged the same posts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.labels import LABELS
from trainer.statistics.proportions import Interval, Share, share_of

LEAST_ALPHA = 0.667
"""Below it no conclusion should rest on the labels (Krippendorff 2004, "Content Analysis", p. 241)."""
DRAWS = 2_000
SEED = 0


@dataclass(frozen=True)
class Agreement:
    """`share` is the share of equal pairs of judgements, over the `posts` with two or more annotators.

    `alpha` is for nominal labels; `ordinal` counts labels that lie further apart as a larger disagreement. Both
    are None where they are undefined: every judgement has one label, so chance agreement is certain.
    """

    posts: int
    pairs: int
    share: float
    alpha: float | None
    ordinal: float | None


@dataclass(frozen=True)
class Votes:
    """Distinct combinations of votes on a post (n, labels), and the number of posts with each (n,)."""

    counts: NDArray[np.int64]
    posts: NDArray[np.int64]

    @property
    def coincidences(self) -> NDArray[np.float64]:
        """(n, labels, labels): ordered pairs of labels on one post, each 1 / (m - 1) where a post has m labels."""
        itself = self.counts[:, :, None] * np.eye(self.counts.shape[1])
        pairs = self.counts[:, :, None] * self.counts[:, None, :] - itself
        weighted: NDArray[np.float64] = pairs / (self.counts.sum(axis=1) - 1)[:, None, None]
        return weighted


def agreement(judged: Iterable[Sequence[str]], labels: Sequence[str] = LABELS) -> Agreement | None:
    """`judged` holds the labels of each post, one per annotator. Returns None if no post has two.

    `labels` are in order of severity.
    """
    votes = _votes(judged, labels)
    if votes is None:
        return None
    sizes = votes.counts.sum(axis=1)
    pairs = int(votes.posts @ (sizes * (sizes - 1))) // 2
    same = int(votes.posts @ (votes.counts * (votes.counts - 1)).sum(axis=1)) // 2
    together = np.tensordot(votes.posts, votes.coincidences, axes=1)
    nominal, ordinal = (_defined(alphas(together, is_ordinal=kind)) for kind in (False, True))
    return Agreement(int(votes.posts.sum()), pairs, same / pairs, nominal, ordinal)


def alphas(coincidences: NDArray[np.float64], *, is_ordinal: bool) -> NDArray[np.float64]:
    """Krippendorff's alpha of each matrix of coincidences (..., labels, labels); nan where it is undefined.

    Krippendorff 2011, "Computing Krippendorff's alpha-reliability". Labels are apart by 1 if they are nominal,
    otherwise by the square of the judgements between their middles.
    """
    each = coincidences.sum(axis=-1)
    unit = np.eye(each.shape[-1])
    chance = each[..., :, None] * each[..., None, :] - each[..., :, None] * unit
    middles = each.cumsum(axis=-1) - each / 2
    distances = (middles[..., :, None] - middles[..., None, :]) ** 2 if is_ordinal else 1 - unit
    observed, expected = ((pairs * distances).sum(axis=(-2, -1)) for pairs in (coincidences, chance))
    # As many pairs by chance as there are judgements.
    expected /= each.sum(axis=-1) - 1
    values: NDArray[np.float64] = 1 - np.divide(
        observed, expected, out=np.full_like(observed, np.nan), where=expected > 0
    )
    return values


def ordinal_interval(judged: Iterable[Sequence[str]], labels: Sequence[str] = LABELS) -> Interval | None:
    """The 95% interval of the ordinal alpha, by bootstrap over posts; None where alpha is undefined."""
    votes = _votes(judged, labels)
    if votes is None:
        return None
    draws = np.random.default_rng(SEED).multinomial(
        votes.posts.sum(), votes.posts / votes.posts.sum(), size=DRAWS
    )
    values = alphas(np.tensordot(draws, votes.coincidences, axes=1), is_ordinal=True)
    if np.isnan(values).all():
        return None
    low, high = np.nanquantile(values, (0.025, 0.975))
    return float(low), float(high)


def agreement_on_labels(
    judged: Iterable[Sequence[str]], labels: Sequence[str] = LABELS
) -> Mapping[str, Share]:
    """By label: how often another judgement of a post with this label has it too.

    The interval is Wilson's with the posts that have the label. Labels that no such post has are left out.
    """
    votes = _votes(judged, labels)
    if votes is None:
        return {}
    together = np.tensordot(votes.posts, votes.coincidences, axes=1)
    posts = votes.posts @ (votes.counts > 0)
    return {
        label: share_of(float(together[place, place] / together[place].sum()), int(posts[place]))
        for place, label in enumerate(labels)
        if posts[place]
    }


def apart(judged: Iterable[Sequence[str]], labels: Sequence[str] = LABELS) -> Counter[tuple[str, str]]:
    """The number of posts that have both labels of a pair, of the pairs that occur."""
    counts: Counter[tuple[str, str]] = Counter()
    for votes in judged:
        counts.update(combinations(sorted(set(votes), key=labels.index), 2))
    return counts


def _votes(judged: Iterable[Sequence[str]], labels: Sequence[str]) -> Votes | None:
    combined = Counter(tuple(sorted(votes)) for votes in judged if len(votes) > 1)
    if not combined:
        return None
    counts = [[votes.count(label) for label in labels] for votes in combined]
    return Votes(np.array(counts, np.int64), np.array([*combined.values()], np.int64))


def _defined(value: NDArray[Any]) -> float | None:
    return None if np.isnan(value) else float(value)
