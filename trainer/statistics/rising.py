"""Words that are more frequent now than before.

Log-odds ratios with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, eq. 16 and 22). The
prior has the word frequencies of both periods together, so that a rare word must rise more to stand out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, sqrt

PRIOR = 500.0
"""Largest weight of the prior, in words; with few words it is a tenth of them."""
LEAST_POSTS = 3
LEAST_Z = 2.0


@dataclass(frozen=True)
class Rise:
    """A word that occurs in `count` posts now and in `before` posts earlier; `z` is its log-odds ratio over
    its deviation.
    """

    word: str
    count: int
    before: int
    z: float


def rises(now: Mapping[str, int], before: Mapping[str, int], *, most: int) -> Sequence[Rise]:
    n, m = sum(now.values()), sum(before.values())
    words = [
        Rise(word, count, before.get(word, 0), log_odds(count, n, before.get(word, 0), m))
        for word, count in now.items()
        if count >= LEAST_POSTS
    ]
    return sorted((rise for rise in words if rise.z >= LEAST_Z), key=lambda rise: (-rise.z, rise.word))[:most]


def log_odds(count: int, n: int, before: int, m: int) -> float:
    worth = min(PRIOR, (n + m) / 10)
    prior = worth * (count + before) / (n + m)
    here, there = count + prior, before + prior
    if count == n and before == m:
        return 0.0  # the odds of the only word are undefined
    ratio = log(here / (n + worth - here)) - log(there / (m + worth - there))
    return ratio / sqrt(1 / here + 1 / there)
