"""Probabilities in, positions of the posts to ask about out. Pure: no model, no database.

Everywhere: `probabilities` is (n, labels), each row summing to 1, calibrated; the answer is positions into it, the
first to ask about first. A strategy is one function and one line in `STRATEGIES`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating]
Positions = NDArray[np.intp]
Vectors = NDArray[np.floating]
Embed = Callable[[Positions], Vectors]
"""The (k, width) vectors of k positions: asked for where a strategy needs them, as they may be dear."""

BAND_HIGH = 0.6
OVERSAMPLING = 5
"""So many times the posts wanted are taken by uncertainty alone before they are spread."""


class Strategy(Protocol):
    def __call__(
        self, probabilities: Probabilities, count: int, *, embed: Embed, rng: np.random.Generator
    ) -> Positions:
        """The `count` positions to ask about, fewer where there are fewer; each once."""
        ...


def confidence(probabilities: Probabilities) -> NDArray[np.floating]:
    """(n,) the probability of the most likely label, from 1/labels to 1."""
    top: NDArray[np.floating] = probabilities.max(axis=1, initial=0.0)
    return top


def margin(probabilities: Probabilities) -> NDArray[np.floating]:
    """(n,) the most likely minus the second: 0 is a tie (Scheffer et al. 2001)."""
    # By columns: a sorted copy of ten million rows takes as much memory again, and longer.
    first, second = probabilities[:, 0].copy(), np.full_like(probabilities[:, 0], -np.inf)
    for column in probabilities.T[1:]:
        np.maximum(second, np.minimum(first, column), out=second)
        np.maximum(first, column, out=first)
    gap: NDArray[np.floating] = np.subtract(first, second, out=first)
    return gap


def entropy(probabilities: Probabilities) -> NDArray[np.floating]:
    """(n,) in nats: 0 is certain, log(labels) knows nothing."""
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    spread: NDArray[np.floating] = -(probabilities * logs).sum(axis=1)
    return spread


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
    inside, outside = np.flatnonzero(is_inside), np.flatnonzero(~is_inside)
    inside = inside[np.argsort(gaps[inside], kind="stable")]
    if len(inside) >= at_least:
        return inside
    outside = outside[np.argsort(gaps[outside], kind="stable")]
    return np.concatenate([inside, outside[: at_least - len(inside)]])


def spread(order: Positions, count: int, *, block: int, embed: Embed, rng: np.random.Generator) -> Positions:
    """All of `order` again; the first `count` come in blocks of posts that differ from each other.

    A block is drawn from the `OVERSAMPLING` times as many that are next, cut into clusters by k-means over unit
    vectors: the first of each cluster. What was passed over waits for the next block, in its order.
    """
    near = order[: count + (OVERSAMPLING - 1) * block]
    if len(near) <= block:
        return order
    unit, waiting, blocks = _unit(embed(near)), np.arange(len(near)), []
    for _ in range(0, count, block):
        head = waiting[: OVERSAMPLING * block]
        if len(head) <= block:
            break
        _, firsts = np.unique(_k_means(unit[head], block, rng)[0], return_index=True)
        blocks.append(head[np.sort(firsts)])
        waiting = np.setdiff1d(waiting, blocks[-1])
    return np.concatenate([near[np.concatenate([*blocks, waiting])], order[len(near) :]])


def typical(vectors: Vectors, count: int, *, rng: np.random.Generator) -> Positions:
    """The post nearest to the middle of each of `count` clusters, those of the largest clusters first."""
    if len(vectors) <= count:
        return np.arange(len(vectors))
    unit = _unit(vectors)
    clusters, middles = _k_means(unit, count, rng)
    distances = np.linalg.norm(unit - middles[clusters], axis=1)
    order = np.lexsort((distances, clusters))
    firsts = order[np.unique(clusters[order], return_index=True)[1]]
    largest_first: Positions = firsts[np.argsort(-np.bincount(clusters)[clusters[firsts]], kind="stable")]
    return largest_first


def _by_band(
    probabilities: Probabilities, count: int, *, embed: Embed, rng: np.random.Generator
) -> Positions:
    return band(probabilities, BAND_HIGH, at_least=count)[:count]


def _by_margin(
    probabilities: Probabilities, count: int, *, embed: Embed, rng: np.random.Generator
) -> Positions:
    """Breaking ties (Luo et al. 2005)."""
    return np.argsort(margin(probabilities), kind="stable")[:count]


def _by_least_confidence(
    probabilities: Probabilities, count: int, *, embed: Embed, rng: np.random.Generator
) -> Positions:
    return np.argsort(confidence(probabilities), kind="stable")[:count]


def _by_entropy(
    probabilities: Probabilities, count: int, *, embed: Embed, rng: np.random.Generator
) -> Positions:
    return np.argsort(-entropy(probabilities), kind="stable")[:count]


def _at_random(
    probabilities: Probabilities, count: int, *, embed: Embed, rng: np.random.Generator
) -> Positions:
    return rng.permutation(len(probabilities))[:count]


def _by_clustered_margin(
    probabilities: Probabilities, count: int, *, embed: Embed, rng: np.random.Generator
) -> Positions:
    """Small margins from many clusters (after Citovsky et al. 2021, with k-means for their linkage)."""
    order = np.argsort(margin(probabilities), kind="stable")
    return spread(order, count, block=count, embed=embed, rng=rng)[:count]


def _by_badge(
    probabilities: Probabilities, count: int, *, embed: Embed, rng: np.random.Generator
) -> Positions:
    """k-means++ seeds of the gradients a label would bring to the last layer (BADGE, Ash et al. 2020).

    A post's gradient is the outer product of (probabilities minus its likeliest label) and its vector. It is never
    written out: inner products of outer products are products of inner products.
    """
    pull = probabilities - np.eye(probabilities.shape[1])[probabilities.argmax(axis=1)]
    vectors = embed(np.arange(len(probabilities)))
    lengths = (pull**2).sum(axis=1) * (vectors**2).sum(axis=1)
    chosen: list[int] = []
    nearest = np.full(len(probabilities), np.inf)
    at = int(lengths.argmax()) if len(lengths) else 0
    while len(chosen) < min(count, len(probabilities)):
        chosen.append(at)
        products = (pull @ pull[at]) * (vectors @ vectors[at])
        nearest = np.minimum(nearest, np.maximum(lengths + lengths[at] - 2 * products, 0.0))
        nearest[chosen] = 0.0
        at = _drawn(nearest, chosen, rng)
    return np.array(chosen, dtype=np.intp)


def _drawn(nearest: NDArray[np.float64], chosen: Sequence[int], rng: np.random.Generator) -> int:
    """A position, the likelier the further it is from all that are chosen; any other where nothing differs."""
    total = nearest.sum()
    if total > 0:
        return int(rng.choice(len(nearest), p=nearest / total))
    left = np.setdiff1d(np.arange(len(nearest)), chosen)
    return int(rng.choice(left)) if len(left) else 0


def _k_means(unit: Vectors, count: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], Vectors]:
    """The cluster of each vector, and the middles; as many clusters as there are different vectors, at most."""
    # Here, as pages read this module and need no clusters.
    from sklearn.cluster import KMeans  # noqa: PLC0415

    # Directions that differ by rounding alone are one: k-means cannot part them, and warns.
    unit = unit.round(6)
    kinds = min(count, len(np.unique(unit, axis=0)))
    # One start: this spreads posts, the best clustering is not worth its time.
    found = KMeans(kinds, n_init=1, max_iter=20, random_state=int(rng.integers(2**31))).fit(unit)
    return found.labels_, found.cluster_centers_


def _unit(vectors: Vectors) -> Vectors:
    """At length one and about their mean, which all posts of a forum share."""
    apart = vectors - vectors.mean(axis=0)
    unit: Vectors = apart / np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), 1e-9)
    return unit


STRATEGIES: dict[str, Strategy] = {
    "band": _by_band,
    "margin": _by_margin,
    "least-confidence": _by_least_confidence,
    "entropy": _by_entropy,
    "random": _at_random,
    "clustered-margin": _by_clustered_margin,
    "badge": _by_badge,
}
