"""A cheap substitute for an adapter: it selects posts to score where the adapter cannot score all, and posts to label
until the next adapter.

Logistic regression over hashed pairs of characters. Its probabilities only order posts and are never shown;
their quality is measured in docs/big-pools.md and docs/active-learning.md.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

from trainer.labels import LABELS
from trainer.statistics.metrics import Labels, label_positions

BITS = 16
"""Bits of a hash: 65,536 columns."""
LONGEST = 256
"""Characters of a post that are used."""
STRENGTH = 4.0
"""C of the logistic regression, as in `trainer.linear.baseline`."""
MOST_STEPS = 50
"""Iterations of the solver; more do not improve the order."""
_FIRST, _SECOND = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)  # odd, so that no bit of a character is lost


@dataclass(frozen=True)
class Proxy:
    model: Any

    @classmethod
    def learn(cls, texts: Sequence[str], labels: Labels) -> Self:
        """Raises ValueError with fewer than two different labels."""
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=MOST_STEPS)
        return cls(_fitted(model, features(texts), label_positions(labels)))

    @classmethod
    def imitate(cls, texts: Sequence[str], probabilities: NDArray[np.floating]) -> Self:
        """Fit to an adapter's probabilities (n, 3): each text counts for each label with that weight."""
        shares = np.asarray(probabilities, dtype=np.float64)
        text, label = np.nonzero(shares > 0)
        model = LogisticRegression(C=STRENGTH, max_iter=MOST_STEPS)
        return cls(_fitted(model, features(texts)[text], label, sample_weight=shares[text, label]))

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 3) in LABELS order; zero for a label that was absent in training."""
        scores = np.zeros((len(texts), len(LABELS)), dtype=np.float32)
        if texts:
            scores[:, self.model.classes_] = self.model.predict_proba(features(texts))
        return scores


def features(texts: Sequence[str]) -> csr_matrix:
    """(n, 2 ** BITS) counts of characters and of pairs of neighbours, each row scaled to length 1.

    Computed on all texts at once: a Python loop over characters would dominate the time.
    """
    cut = [text[:LONGEST] for text in texts]
    lengths = np.fromiter(map(len, cut), dtype=np.int64, count=len(cut))
    codes = np.frombuffer("".join(cut).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    rows = np.repeat(np.arange(len(cut), dtype=np.int32), lengths)
    is_pair = rows[1:] == rows[:-1]
    pairs = (codes[:-1] * _FIRST ^ codes[1:] * _SECOND)[is_pair]
    columns = np.concatenate([_places(codes * _SECOND), _places(pairs * _FIRST)])
    rows = np.concatenate([rows, rows[:-1][is_pair]])
    counts = np.ones(len(columns), dtype=np.float32)
    matrix = csr_matrix((counts, (rows, columns)), shape=(len(cut), 2**BITS))
    return normalize(matrix, copy=False)


def _fitted(model: Any, *rows: Any, **weights: Any) -> Any:
    """Fit without the warning that the solver stopped after MOST_STEPS."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*rows, **weights)


def _places(hashes: NDArray[np.uint32]) -> NDArray[np.int32]:
    """The upper bits, which depend on all lower ones."""
    return (hashes >> np.uint32(32 - BITS)).astype(np.int32)
