"""Probabilities in, positions of the posts to ask about out. Pure NumPy.

Everywhere: `probabilities` is (n, labels), each row summing to 1; the answer is positions into it.
"""

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating]
Positions = NDArray[np.intp]


def confidence(probabilities: Probabilities) -> NDArray[np.floating]:
    """(n,) the probability of the most likely label, from 1/labels to 1."""
    top: NDArray[np.floating] = probabilities.max(axis=1, initial=0.0)
    return top


def margin(probabilities: Probabilities) -> NDArray[np.floating]:
    """(n,) the most likely minus the second: 0 is a tie (Scheffer et al. 2001)."""
    ordered = np.sort(probabilities, axis=1)
    gap: NDArray[np.floating] = ordered[:, -1] - ordered[:, -2]
    return gap


def in_band(probabilities: Probabilities, low: float, high: float) -> NDArray[np.bool_]:
    """(n,) whether the confidence lies in [low, high]."""
    top = confidence(probabilities)
    return (top >= low) & (top <= high)


def below_band(probabilities: Probabilities, low: float) -> NDArray[np.bool_]:
    """(n,) whether the model is less certain still: with three labels down to 1/3."""
    return confidence(probabilities) < low


def band(probabilities: Probabilities, high: float, *, at_least: int = 0) -> Positions:
    """The band joined with all that lies below it, the smallest margin first.

    Taken literally a band leaves out the most uncertain posts of all. Where it holds fewer than
    `at_least` posts it is widened: the posts above it follow, again by margin.
    """
    gaps = margin(probabilities)
    is_inside = confidence(probabilities) <= high
    order = np.lexsort((np.arange(len(gaps)), gaps, ~is_inside))
    return order[: max(int(is_inside.sum()), at_least)]
