"""A quick model of the labels so far, which orders posts until the next round: seconds to learn and to score a pool.

Hashed characters alone, or their mean with a model over frozen vectors, which is better with few labels
(docs/active-learning.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.linear.frozen import FrozenClassifier
from trainer.linear.proxy import Proxy
from trainer.statistics.metrics import Labels


@dataclass(frozen=True)
class Features:
    """`vectors` (n, width): frozen ones of the texts, where the caller has them."""

    texts: Sequence[str]
    vectors: NDArray[np.floating] | None = None


def quick_probabilities(learned: Features, labels: Labels, posts: Features) -> NDArray[np.float32]:
    """(n, 3) of `posts` in LABELS order. Raises ValueError with fewer than two different labels."""
    opinions: list[NDArray[np.floating]] = [Proxy.learn(learned.texts, labels).probabilities(posts.texts)]
    if learned.vectors is not None and posts.vectors is not None:
        opinions.append(FrozenClassifier.learn(learned.vectors, labels).probabilities(posts.vectors))
    return np.asarray(np.mean(opinions, axis=0), dtype=np.float32)
