"""Which words are said more often now than before. Pure.

Log-odds ratios with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, eq. 16 and 22): the prior has
each word as often as both sides together do, so that rare words must be much more frequent to stand out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

PRIOR = 500.0
"""Words that the prior is worth at most; a tenth of all where there are few."""


@dataclass(frozen=True)
class Rise:
    """A word that `count` posts say now and `before` posts said; `z` is its log-odds ratio by its deviation."""

    word: str
    count: int
    before: int
    z: float


def rises(
    now: Mapping[str, int], before: Mapping[str, int], *, least: int = 3, z: float = 2.0, most: int = 20
) -> Sequence[Rise]:
    """The words that stand out now, the clearest first: of `least` posts and with a deviation of `z` at least."""
    n, m = sum(now.values()), sum(before.values())
    found = [
        Rise(word, count, before.get(word, 0), log_odds(count, n, before.get(word, 0), m))
        for word, count in now.items()
        if count >= least
    ]
    return sorted((one for one in found if one.z >= z), key=lambda one: (-one.z, one.word))[:most]


def log_odds(count: int, n: int, before: int, m: int) -> float:
    """The z-score of a word with `count` of `n` against `before` of `m`."""
    worth = min(PRIOR, (n + m) / 10)
    prior = worth * (count + before) / (n + m)
    here, there = count + prior, before + prior
    if count == n and before == m:
        return 0.0  # the only word there is has no odds
    ratio = log(here / (n + worth - here)) - log(there / (m + worth - there))
    return ratio / sqrt(1 / here + 1 / there)
