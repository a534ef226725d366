"""The linear baseline that every adapter is compared with."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from trainer.labels import LABELS
from trainer.statistics.metrics import Labels, label_positions


def linear_baseline(
    train_texts: Sequence[str], train_labels: Labels, test_texts: Sequence[str]
) -> NDArray[np.float64]:
    """(n, 3) probabilities by TF-IDF of 1 to 3 characters (sublinear) and balanced logistic regression."""
    truth = label_positions(train_labels)
    probabilities = np.zeros((len(test_texts), len(LABELS)))
    seen = np.unique(truth)
    if len(seen) == 1:
        probabilities[:, seen] = 1.0
        return probabilities
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, dtype=np.float32)
    model = LogisticRegression(C=4, class_weight="balanced", max_iter=1000)
    model.fit(vectorizer.fit_transform(train_texts), truth)
    probabilities[:, model.classes_] = model.predict_proba(vectorizer.transform(test_texts))
    return probabilities
