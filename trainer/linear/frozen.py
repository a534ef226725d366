"""A classifier over frozen vectors: the fast learner of simulations."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from trainer.labels import LABELS
from trainer.statistics.metrics import Labels, label_positions

STRENGTH = 0.01
"""C of the logistic regression; chosen in docs/starter.md."""


@dataclass(frozen=True)
class FrozenClassifier:
    mean: NDArray[np.floating]
    scale: NDArray[np.floating]
    model: Any

    @classmethod
    def learn(cls, vectors: NDArray[np.floating], labels: Labels) -> "FrozenClassifier":
        """Raises ValueError with fewer than two different labels. vectors (n, width)."""
        mean, scale = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
        return cls(mean, scale, model.fit((vectors - mean) / scale, label_positions(labels)))

    def probabilities(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, 3) in LABELS order; zero for a label that was absent in training."""
        scores = np.zeros((len(vectors), len(LABELS)))
        if len(vectors):
            scores[:, self.model.classes_] = self.model.predict_proba((vectors - self.mean) / self.scale)
        return scores
