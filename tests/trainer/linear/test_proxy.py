"""The proxy learns from labels or from an adapter, and returns three probabilities per post."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.linear.proxy import BITS, LONGEST, Proxy, features

TEXTS = [f"今天天气真好{at}" for at in range(20)] + [f"加微信低价代开{at}" for at in range(20)]
LABELS = ["normal"] * 20 + ["violation"] * 20


def test_it_tells_what_it_was_taught_apart() -> None:
    found = Proxy.learn(TEXTS, LABELS).probabilities(["天气好", "低价代开加我"])
    assert found[0, 0] > 0.6
    assert found[1, 2] > 0.6
    assert found[:, 1].tolist() == [0, 0]  # a label it has never seen


def test_taught_by_an_adapter_it_repeats_its_doubts() -> None:
    taught = np.tile(np.float32([0.9, 0.05, 0.05]), (40, 1))
    taught[20:] = [0.2, 0.4, 0.4]
    found = Proxy.imitate(TEXTS * 10, np.tile(taught, (10, 1))).probabilities(
        ["今天天气真好3", "加微信低价代开3"]
    )
    assert found.argmax(axis=1).tolist()[0] == 0
    assert found == pytest.approx(taught[[0, 20]], abs=0.12)


def test_it_learns_the_same_twice() -> None:
    one, other = (Proxy.learn(TEXTS, LABELS).probabilities(TEXTS) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_one_label_alone_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="class"):
        Proxy.learn(["一", "二"], ["normal", "normal"])


def test_no_texts_have_no_probabilities() -> None:
    assert Proxy.learn(TEXTS, LABELS).probabilities([]).shape == (0, 3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=2 * LONGEST), min_size=1, max_size=4))
def test_a_text_has_the_same_features_whatever_lies_beside_it(texts: list[str]) -> None:
    together = features(texts)
    assert together.shape == (len(texts), 2**BITS)
    for at, text in enumerate(texts):
        assert abs(features([text]) - together[at]).sum() == pytest.approx(0, abs=1e-5)
        assert together[at].power(2).sum() == pytest.approx(1.0 if text else 0.0, abs=1e-5)
        assert (features([text[:LONGEST]]) != features([text])).nnz == 0


def test_half_a_surrogate_pair_is_a_character_like_any_other() -> None:
    assert features(["\ud83d", ""]).nnz == 1
