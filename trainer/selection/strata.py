"""The order in which held-out posts are labelled, and what each labelled post represents.

Violations are rare, so a random test set contains hardly any. Held-out posts are therefore divided into
strata by the violation probability of their first scoring, and all strata are served at the same rate as long
as violations are needed. Within a stratum the order is drawn by hash: the labelled posts are a random sample
of it, and each represents as many posts as the stratum holds per labelled one (stratified sampling; Cochran
1977, ch. 5).

Where not all posts can be scored, held-out posts are scored only if drawn (`trainer.selection.budget`). Drawn
posts get separate strata, from DRAWN on, and represent the unscored ones too (two-phase sampling; Cochran
1977, ch. 12).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

EDGES = (0.05, 0.2, 0.5)
"""Violation probabilities that separate the strata."""
FEWEST = 5
"""Labelled posts that a stratum needs to be counted alone; with fewer it is merged with its neighbour."""

DRAWN = len(EDGES) + 1
"""Offset of the stratum of a post that was drawn for scoring while others were not."""

Stratum = int | None
"""None if the post was not scored when the strata were assigned."""


def strata(violation: NDArray[np.floating]) -> NDArray[np.int64]:
    """(n,) the stratum of each post; 0 has the lowest violation probabilities."""
    numbers: NDArray[np.int64] = np.searchsorted(np.array(EDGES), violation, side="right")
    return numbers


def serving_order(of: NDArray[np.int64], draws: NDArray[np.floating], *, is_even: bool) -> NDArray[np.intp]:
    """Positions of the unlabelled posts of one split, in the order to serve them.

    `draws` (n,) orders posts within a stratum. If `is_even` the strata take turns, else all posts are one
    stratum. Posts without a stratum (-1) come last: it is unknown which of them are rare.
    """
    kinds = of if is_even else np.zeros_like(of)
    by_draw = np.lexsort((draws, kinds))
    _, starts, places = np.unique(kinds[by_draw], return_index=True, return_inverse=True)
    rank = np.empty(len(of), dtype=np.int64)
    rank[by_draw] = np.arange(len(of)) - starts[places]
    order: NDArray[np.intp] = np.lexsort((draws, rank, of < 0))
    return order


def inclusion(sizes: Mapping[Stratum, int], labelled: Mapping[Stratum, int]) -> dict[Stratum, float]:
    """The probability, above 0 to 1, that a post of each stratum is labelled by now: labelled posts over all posts.

    Strata with too few labelled posts are merged with the next one; strata without labelled posts are left
    out. If some posts were drawn, those without a stratum are the ones that were not: both are random parts
    of the same posts, and represent all of them together, each by its number of labels.
    """
    drawn = {stratum: size for stratum, size in sizes.items() if stratum is not None and stratum >= DRAWN}
    if not drawn:
        return _shares(sizes, labelled)
    shares = _shares(
        {stratum: sizes[stratum] for stratum in sizes if stratum is not None and stratum < DRAWN}, labelled
    )
    have, have_not = sum(labelled.get(stratum, 0) for stratum in drawn), labelled.get(None, 0)
    posts = sum(drawn.values()) + sizes.get(None, 0)
    for stratum, share in _shares(drawn, labelled).items():
        # Labels of both kinds count equally: the drawn ones represent their part of all posts, not only the drawn ones.
        shares[stratum] = min(1.0, share * sum(drawn.values()) / posts * (have + have_not) / have)
    if have_not:
        shares[None] = (have + have_not) / posts
    return shares


def _shares(sizes: Mapping[Any, int], labelled: Mapping[Stratum, int]) -> dict[Stratum, float]:
    merged: list[list[Stratum]] = []
    for stratum in sorted(sizes, key=lambda kind: -1 if kind is None else kind):
        is_poor = bool(merged) and sum(labelled.get(kind, 0) for kind in merged[-1]) < FEWEST
        if is_poor:
            merged[-1].append(stratum)
        else:
            merged.append([stratum])
    if len(merged) > 1 and sum(labelled.get(kind, 0) for kind in merged[-1]) < FEWEST:
        last = merged.pop()
        merged[-1] += last
    shares: dict[Stratum, float] = {}
    for kinds in merged:
        have = sum(labelled.get(kind, 0) for kind in kinds)
        if have:
            shares |= dict.fromkeys(kinds, min(1.0, have / sum(sizes[kind] for kind in kinds)))
    return shares
