import numpy as np

from tests.trainer.toy import toy_examples
from trainer.linear.baseline import linear_baseline
from trainer.statistics.metrics import macro_f1


def test_the_baseline_learns_the_toy_task():
    train, test = toy_examples(150, 0), toy_examples(60, 1)
    probabilities = linear_baseline(
        [row.text for row in train], [row.label for row in train], [row.text for row in test]
    )
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert macro_f1([row.label for row in test], probabilities.argmax(axis=1)) > 0.8


def test_a_label_never_seen_has_no_probability():
    probabilities = linear_baseline(["aa", "bb"] * 5, ["normal", "violation"] * 5, ["aa", "bb"])
    assert (probabilities[:, 1] == 0).all()
    assert probabilities.argmax(axis=1).tolist() == [0, 2]


def test_one_label_is_certain():
    assert linear_baseline(["a"], ["suspicious"], ["b"]).tolist() == [[0, 1, 0]]
