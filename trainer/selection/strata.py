"""Which held-out posts are labelled first, and what each then stands for. Pure.

Violations are rare: among random test posts there are hardly any to measure by. So held-out posts fall into strata by
the violation probability they were first scored with, and for as long as violations are wanted every stratum is
served alike. Within a stratum the order is drawn by hash, so those labelled so far are a random sample of it, and
each stands for as many as the stratum holds for each labelled one (stratified sampling; Cochran 1977, ch. 5).

Where a machine cannot score all, held-out posts are scored by the draw alone (`trainer.selection.budget`). Those drawn get strata
of their own, from DRAWN on, and stand for the others too (two-phase sampling; Cochran 1977, ch. 12).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

EDGES = (0.05, 0.2, 0.5)
"""Violation probabilities between the strata."""
FEWEST = 5
"""Labelled posts a stratum needs to stand for itself; below it is counted with its neighbour."""

DRAWN = len(EDGES) + 1
"""What is added to the stratum of a post that was drawn to be scored, while others were not."""

Stratum = int | None
"""None: not scored when the strata were given."""


def strata(violation: NDArray[np.floating]) -> NDArray[np.int64]:
    """(n,) the stratum of each post, 0 the least likely violations."""
    found: NDArray[np.int64] = np.searchsorted(np.array(EDGES), violation, side="right")
    return found


def serving_order(of: NDArray[np.int64], luck: NDArray[np.floating], *, is_even: bool) -> NDArray[np.intp]:
    """Positions of the unlabelled posts of one split as they are to be served.

    `luck` (n,) orders those of a stratum. Strata take turns where `is_even`, else all are one. Posts of none (-1) come
    last: no model tells which of them are rare.
    """
    kinds = of if is_even else np.zeros_like(of)
    by_luck = np.lexsort((luck, kinds))
    _, starts, places = np.unique(kinds[by_luck], return_index=True, return_inverse=True)
    rank = np.empty(len(of), dtype=np.int64)
    rank[by_luck] = np.arange(len(of)) - starts[places]
    order: NDArray[np.intp] = np.lexsort((luck, rank, of < 0))
    return order


def inclusion(sizes: Mapping[Stratum, int], labelled: Mapping[Stratum, int]) -> dict[Stratum, float]:
    """How likely a post of each stratum was to be labelled by now: labelled over all, from above 0 to 1.

    Strata with too few labelled posts are counted with the next one. Those of nothing labelled are left out. Where some
    were drawn, those of no stratum are what was not drawn: both are random parts of the same posts, and stand for all
    of them together, each by its number of labels.
    """
    drawn = {known: size for known, size in sizes.items() if known is not None and known >= DRAWN}
    if not drawn:
        return _shares(sizes, labelled)
    shares = _shares(
        {known: sizes[known] for known in sizes if known is not None and known < DRAWN}, labelled
    )
    have, have_not = sum(labelled.get(known, 0) for known in drawn), labelled.get(None, 0)
    posts = sum(drawn.values()) + sizes.get(None, 0)
    for known, share in _shares(drawn, labelled).items():
        # Labels of both kinds count alike: the drawn ones stand for their part of all, not for the drawn posts alone.
        shares[known] = min(1.0, share * sum(drawn.values()) / posts * (have + have_not) / have)
    if have_not:
        shares[None] = (have + have_not) / posts
    return shares


def _shares(sizes: Mapping[Any, int], labelled: Mapping[Stratum, int]) -> dict[Stratum, float]:
    merged: list[list[Stratum]] = []
    for stratum in sorted(sizes, key=lambda known: -1 if known is None else known):
        is_poor = bool(merged) and sum(labelled.get(known, 0) for known in merged[-1]) < FEWEST
        if is_poor:
            merged[-1].append(stratum)
        else:
            merged.append([stratum])
    if len(merged) > 1 and sum(labelled.get(known, 0) for known in merged[-1]) < FEWEST:
        last = merged.pop()
        merged[-1] += last
    shares: dict[Stratum, float] = {}
    for kinds in merged:
        have = sum(labelled.get(known, 0) for known in kinds)
        if have:
            shares |= dict.fromkeys(kinds, min(1.0, have / sum(sizes[known] for known in kinds)))
    return shares
