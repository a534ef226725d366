"""Query strategies: probabilities in, positions of the posts to label next out. No model, no database.

`probabilities` is always (n, labels), calibrated, each row summing to 1; positions index its rows, in the
order to ask. A strategy is one function and one line in `STRATEGIES`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.floating]
Positions = NDArray[np.intp]
Vectors = NDArray[np.floating]
Embed = Callable[[Positions], Vectors]
"""The vectors (k, width) of k positions; called only when a strategy needs them, since they are expensive."""

BAND_HIGH = 0.6
OVERSAMPLING = 5
"""Factor by which the candidates of a diverse block exceed the block."""


class Strategy(Protocol):
    def __call__(
        self, probabilities: Probabilities, count: int, *, embed: Embed, rng: np.random.Generator
    ) -> Positions:
        """At most `count` distinct positions, in the order to ask."""
        ...


def confidence(probabilities: Probabilities) -> NDArray[np.floating]:
    top: NDArray[np.floating] = probabilities.max(axis=1, initial=0.0)
    return top


def margin(probabilities: Probabilities) -> NDArray[np.floating]:
    """(n,) most likely minus second most likely; 0 is a tie (Scheffer et al. 2001)."""
    # By columns: sorting ten million rows needs a second copy and takes longer.
    first, second = probabilities[:, 0].copy(), np.full_like(probabilities[:, 0], -np.inf)
    for column in probabilities.T[1:]:
        np.maximum(second, np.minimum(first, column), out=second)
        np.maximum(first, column, out=first)
    gap: NDArray[np.floating] = np.subtract(first, second, out=first)
    return gap


def entropy(probabilities: Probabilities) -> NDArray[np.floating]:
    """(n,) in nats."""
    logs = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
    spread: NDArray[np.floating] = -(probabilities * logs).sum(axis=1)
    return spread


def in_band(probabilities: Probabilities, low: float, high: float) -> NDArray[np.bool_]:
    top = confidence(probabilities)
    return (top >= low) & (top <= high)


def below_band(probabilities: Probabilities, low: float) -> NDArray[np.bool_]:
    return confidence(probabilities) < low


def band(probabilities: Probabilities, high: float, *, at_least: int = 0) -> Positions:
    """Positions of the band and of everything below it, smallest margin first.

    A band with a lower limit would leave out the most uncertain posts. If fewer than `at_least` posts
    qualify, the posts above the band follow, also by margin.
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
    """All of `order`; its first `count` are rearranged into blocks of posts that differ from each other.

    Each block is chosen from the next `OVERSAMPLING * block` posts: k-means over unit vectors, and the first
    post of each cluster. Posts that were passed over wait for the next block in their order.
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
    """The post nearest to the centre of each of `count` clusters, largest cluster first."""
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
    """k-means++ seeds of the gradients that a label would cause in the last layer (BADGE, Ash et al. 2020).

    A post's gradient is the outer product of (probabilities minus its most likely label) and its vector. It
    is never materialised: inner products of outer products are products of inner products.
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
    """A position drawn in proportion to its squared distance from the chosen ones; uniform if nothing differs."""
    total = nearest.sum()
    if total > 0:
        return int(rng.choice(len(nearest), p=nearest / total))
    left = np.setdiff1d(np.arange(len(nearest)), chosen)
    return int(rng.choice(left)) if len(left) else 0


def _k_means(unit: Vectors, count: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], Vectors]:
    """The cluster of each vector, and the centres; at most as many clusters as distinct vectors."""
    # Imported here: the pages import this module and never cluster.
    from sklearn.cluster import KMeans  # noqa: PLC0415

    # Directions that differ by rounding are merged: k-means cannot separate them, and warns.
    unit = unit.round(6)
    kinds = min(count, len(np.unique(unit, axis=0)))
    # One start: a better clustering would not spread the posts noticeably better.
    fitted = KMeans(kinds, n_init=1, max_iter=20, random_state=int(rng.integers(2**31))).fit(unit)
    return fitted.labels_, fitted.cluster_centers_


def _unit(vectors: Vectors) -> Vectors:
    """Centred on their mean, which all posts of a forum share, and scaled to length 1."""
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
