"""Learns a quick model from the labels so far and orders the queue by it. Run by `torch_tasks`, which has vectors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trainer.linear.quick import Features, quick_probabilities
from workbench.project import Project
from workbench.queue.plan import VectorsOf
from workbench.queue.quick_order import can_learn
from workbench.queue.quick_plan import (
    MOST_POSTS,
    QuickScores,
    plan_again,
    read_candidates,
    read_pool_labels,
    read_texts,
)
from workbench.queue.swap import replace_lanes
from workbench.rounds.champion import champion_number

EMBEDDED = 5_000
"""Posts that get frozen vectors while no adapter is in use; vectors cost much more than all else."""
EMBEDDED_AT_ONCE = 1_000
"""More of them in each pass, so that a pass takes seconds."""
MOST_EMBEDDED_LABELS = 1_000
"""With more labels the vectors add little (docs/active-learning.md)."""


@dataclass
class QuickModel:
    """Keeps the vectors of posts from one pass to the next. `load` returns None where the encoder is missing."""

    project: Project
    load: Callable[[], VectorsOf | None]
    _vectors: VectorsOf | None = field(default=None, init=False)
    _is_loaded: bool = field(default=False, init=False)
    _embedded: int = field(default=0, init=False)

    def forget(self) -> None:
        """Drop the vectors: after a purge a new post may have the number of a purged one, and the base may be another."""
        self._vectors, self._is_loaded, self._embedded = None, False, 0

    def order_queue(self) -> int:
        """The number of labels learned from; 0 if these are too few, or the queue was rebuilt meanwhile."""
        with self.project.database.read() as session:
            labels = read_pool_labels(session) if can_learn(session) else {}
            has_champion = champion_number(session) is not None
        if not labels:
            return 0
        vectors = self._loaded()
        is_embedded = vectors is not None and not has_champion and len(labels) <= MOST_EMBEDDED_LABELS
        candidates = read_candidates(self.project, most=self._more() if is_embedded else MOST_POSTS)
        if candidates is None:
            return 0
        scores = self._learned(labels, vectors if is_embedded else None)
        planned = plan_again(candidates, scores, vectors=vectors)
        return len(labels) if replace_lanes(self.project, planned, len(labels)) else 0

    def _loaded(self) -> VectorsOf | None:
        if not self._is_loaded:
            self._vectors, self._is_loaded = self.load(), True
        return self._vectors

    def _more(self) -> int:
        self._embedded = min(EMBEDDED, self._embedded + EMBEDDED_AT_ONCE)
        return self._embedded

    def _learned(self, labels: Mapping[int, str], vectors: VectorsOf | None) -> QuickScores:
        def features(post_ids: NDArray[np.int64]) -> Features:
            texts = read_texts(self.project, post_ids.tolist())
            return Features(texts, None if vectors is None else vectors(post_ids))

        def scores(post_ids: NDArray[np.int64]) -> NDArray[np.float32]:
            learned = features(np.array(list(labels), np.int64))
            return quick_probabilities(learned, list(labels.values()), features(post_ids))

        return scores
