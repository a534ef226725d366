"""Learns a quick model of characters from the labels so far and orders the queue by it: seconds for a whole pool.

Run by `workbench.worker.torch_tasks`, which has vectors for the spread of the lanes; the model itself needs none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trainer.linear.proxy import Proxy
from workbench.project import Project
from workbench.queue.plan import VectorsOf
from workbench.queue.quick_order import can_learn
from workbench.queue.quick_plan import QuickScores, plan_again, read_candidates, read_pool_labels, read_texts
from workbench.queue.swap import replace_lanes


@dataclass
class QuickModel:
    """Keeps the vectors of posts from one pass to the next. `load` returns None where the encoder is missing."""

    project: Project
    load: Callable[[], VectorsOf | None]
    _vectors: VectorsOf | None = field(default=None, init=False)
    _is_loaded: bool = field(default=False, init=False)

    def forget(self) -> None:
        """Drop the vectors: after a purge a new post may have the number of a purged one, and the base may be another."""
        self._vectors, self._is_loaded = None, False

    def order_queue(self) -> int:
        """The number of labels learned from; 0 if these are too few, or the queue was rebuilt meanwhile."""
        with self.project.database.read() as session:
            labels = read_pool_labels(session) if can_learn(session) else {}
        candidates = read_candidates(self.project) if labels else None
        if candidates is None:
            return 0
        planned = plan_again(candidates, learned(self.project, labels), vectors=self._loaded())
        return len(labels) if replace_lanes(self.project, planned, len(labels)) else 0

    def _loaded(self) -> VectorsOf | None:
        if not self._is_loaded:
            self._vectors, self._is_loaded = self.load(), True
        return self._vectors


def learned(project: Project, labels: Mapping[int, str]) -> QuickScores:
    """Labels by post id."""
    model = Proxy.learn(read_texts(project, list(labels)), list(labels.values()))
    return lambda post_ids: model.probabilities(read_texts(project, post_ids.tolist()))
