"""A cheap stand-in for an adapter: tells which posts are worth the adapter's time where it cannot score them all. Pure.

Logistic regression over hashed pairs of characters. Nobody is shown what it says; it only orders posts
(docs/big-pools.md has how well).
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

from trainer.config import LABELS
from trainer.statistics.metrics import Labels, label_positions

BITS = 16
"""Of a hash: 65,536 columns."""
LONGEST = 256
"""Characters of a post that are looked at."""
STRENGTH = 4.0
"""C of the logistic regression, as in `trainer.linear.baseline`."""
MOST_STEPS = 50
"""Of the solver: it orders posts no better after more."""
_FIRST, _SECOND = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)  # odd, so that no bit of a character is lost


@dataclass(frozen=True)
class Proxy:
    """A linear model over hashed characters and pairs of them."""

    model: Any

    @classmethod
    def learn(cls, texts: Sequence[str], labels: Labels) -> Self:
        """From texts and their labels, two different ones at least (else ValueError)."""
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=MOST_STEPS)
        return cls(_fitted(model, features(texts), label_positions(labels)))

    @classmethod
    def imitate(cls, texts: Sequence[str], probabilities: NDArray[np.floating]) -> Self:
        """From texts and what an adapter thinks of them, (n, 3): every text counts for each label by its probability."""
        shares = np.asarray(probabilities, dtype=np.float64)
        text, label = np.nonzero(shares > 0)
        model = LogisticRegression(C=STRENGTH, max_iter=MOST_STEPS)
        return cls(_fitted(model, features(texts)[text], label, sample_weight=shares[text, label]))

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, 3) in LABELS order; a label it has never seen has probability zero."""
        found = np.zeros((len(texts), len(LABELS)), dtype=np.float32)
        if texts:
            found[:, self.model.classes_] = self.model.predict_proba(features(texts))
        return found


def features(texts: Sequence[str]) -> csr_matrix:
    """(n, 2 ** BITS) how often each character and each pair of neighbours comes, rows at length one.

    All texts at once, as a loop over their characters would take most of the time.
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
    found = csr_matrix((counts, (rows, columns)), shape=(len(cut), 2**BITS))
    return normalize(found, copy=False)


def _fitted(model: Any, *rows: Any, **weights: Any) -> Any:
    """Ended after MOST_STEPS without the warning that more were possible."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(*rows, **weights)


def _places(hashes: NDArray[np.uint32]) -> NDArray[np.int32]:
    """The upper bits, which all lower ones have moved."""
    return (hashes >> np.uint32(32 - BITS)).astype(np.int32)
