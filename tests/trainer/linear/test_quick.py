"""The quick model: hashed characters, and frozen vectors where there are some."""

import numpy as np
import pytest

from trainer.labels import LABELS
from trainer.linear.proxy import Proxy
from trainer.linear.quick import Features, quick_probabilities

KINDS = {"normal": "今天天气好", "suspicious": "有人在吗呵呵", "violation": "加微信低价代开"}
LEARNED = [f"{text}{number}" for number in range(4) for text in KINDS.values()]
LABELLED = list(KINDS) * 4
POSTS = [f"{number}{text}" for number in range(5) for text in KINDS.values()]


def test_a_dozen_labels_tell_clear_posts_apart() -> None:
    scores = quick_probabilities(Features(LEARNED), LABELLED, Features(POSTS))
    assert [LABELS[place] for place in scores.argmax(axis=1)] == list(KINDS) * 5
    assert scores.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_vectors_have_half_of_the_say_and_are_not_needed() -> None:
    rng = np.random.default_rng(0)
    learned, posts = rng.normal(size=(len(LEARNED), 4)), rng.normal(size=(len(POSTS), 4))
    by_text = Proxy.learn(LEARNED, LABELLED).probabilities(POSTS)
    both = quick_probabilities(Features(LEARNED, learned), LABELLED, Features(POSTS, posts))
    by_vector = 2 * both - by_text
    assert by_vector.min() > -1e-6
    assert not np.allclose(by_vector, by_text)
    assert np.array_equal(quick_probabilities(Features(LEARNED, learned), LABELLED, Features(POSTS)), by_text)


def test_one_label_teaches_nothing_and_is_refused() -> None:
    with pytest.raises(ValueError, match="class"):
        quick_probabilities(Features(LEARNED), ["normal"] * len(LEARNED), Features(POSTS))
