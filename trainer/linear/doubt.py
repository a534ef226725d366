"""Out-of-fold probabilities of labelled rows, to detect labels that are probably wrong.

A linear model over character n-grams, in folds by group: seconds for thousands of rows, without a GPU. It
detects more wrong labels than frozen vectors of the encoder do (docs/review.md).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import SGDClassifier

from trainer.errors import TrainerError
from trainer.labels import LABELS
from trainer.statistics.metrics import label_positions
from trainer.texts.dataset import Example
from trainer.texts.folds import Folds, draw_folds

FOLDS = (5, 3, 2)
"""Numbers of folds, tried in order: the rarest label limits them."""
SEED = 20_260_101


def out_of_fold_probabilities(rows: Sequence[Example]) -> NDArray[np.float32]:
    """(n, 3) in LABELS order, each row by a model that was trained without it and its near-copies.

    Deterministic. Raises TrainerError if no number of folds works.
    """
    vectorizer = TfidfVectorizer(
        analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=2, dtype=np.float32
    )
    folds = _folds(rows)
    vectors: Any = vectorizer.fit_transform([row.text for row in rows])
    given = label_positions([row.label for row in rows])
    probabilities = np.zeros((len(rows), len(LABELS)), np.float32)
    for held in folds:
        others = np.setdiff1d(np.arange(len(rows)), held)
        model = SGDClassifier(loss="log_loss", alpha=1e-4, class_weight="balanced", random_state=SEED)
        model.fit(vectors[others], given[others])
        probabilities[held[:, None], model.classes_[None, :]] = model.predict_proba(vectors[held])
    return probabilities


def _folds(rows: Sequence[Example]) -> Folds:
    *more, fewest = FOLDS
    for count in more:
        try:
            return draw_folds(rows, count, SEED)
        except TrainerError:
            continue
    return draw_folds(rows, fewest, SEED)
