"""A classifier over frozen vectors."""

import numpy as np
import pytest

from trainer.linear.frozen import FrozenClassifier


def test_it_tells_apart_what_it_has_seen_and_names_labels_by_their_place() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, 200)
    vectors = rng.normal(size=(200, 6)) + 3 * kinds[:, None]
    labels = ["normal" if kind == 0 else "violation" for kind in kinds]
    model = FrozenClassifier.learn(vectors[:100], labels[:100])
    found = model.probabilities(vectors[100:])
    assert found.shape == (100, 3)
    assert np.allclose(found.sum(axis=1), 1)
    assert (found[:, 1] == 0).all()  # suspicious was never seen
    assert ((found.argmax(axis=1) == 2) == (kinds[100:] == 1)).mean() > 0.95


def test_one_label_alone_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="class"):
        FrozenClassifier.learn(np.eye(3), ["normal"] * 3)


def test_no_vectors_no_probabilities() -> None:
    model = FrozenClassifier.learn(np.eye(2), ["normal", "violation"])
    assert model.probabilities(np.zeros((0, 2))).shape == (0, 3)
