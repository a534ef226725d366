import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.toy import toy_examples
from trainer.errors import TrainerError
from trainer.labels import LABELS
from trainer.scoring import scorer as score_module
from trainer.scoring.scorer import Scorer, StoppedError

TEXTS = [example.text for example in toy_examples(40, 3)]


@pytest.fixture(scope="module")
def scorer(adapter):
    return Scorer(adapter)


def test_probabilities_are_in_label_order_and_right(scorer):
    examples = toy_examples(90, 2)
    probabilities = scorer.probabilities([example.text for example in examples])
    assert (probabilities.shape, probabilities.dtype) == ((90, 3), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    named = [LABELS[position] for position in probabilities.argmax(axis=1)]
    assert np.mean([name == example.label for name, example in zip(named, examples, strict=True)]) > 0.8


@settings(max_examples=15)
@given(order=st.permutations(range(len(TEXTS))))
def test_the_order_of_the_texts_changes_nothing(scorer, order):
    shuffled = scorer.probabilities([TEXTS[position] for position in order])
    np.testing.assert_array_equal(shuffled, scorer.probabilities(TEXTS)[list(order)])


def test_neighbours_change_next_to_nothing(scorer):
    alone = np.concatenate([scorer.probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(scorer.probabilities(TEXTS), alone, atol=1e-5)


def test_equal_texts_are_scored_once(scorer, monkeypatch):
    scored, network = [], scorer.network
    monkeypatch.setattr(scorer, "network", lambda ids, mask: scored.append(len(ids)) or network(ids, mask))
    probabilities = scorer.probabilities(["a", "b", "a", "a"])
    assert sum(scored) == 2
    np.testing.assert_array_equal(probabilities[0], probabilities[3])


def test_kept_tokens_give_the_same(scorer):
    tokens = scorer.tokenise(TEXTS)
    np.testing.assert_array_equal(scorer.score_tokens(tokens), scorer.probabilities(TEXTS))


def test_calibration_can_be_left_out(scorer):
    assert np.abs(scorer.probabilities(TEXTS) - scorer.probabilities(TEXTS, calibrated=False)).max() > 1e-3


@pytest.mark.parametrize("texts", [[], [""], [" \u200b"], ["x" * 100_000], ["\ud800"]])
def test_strange_texts_are_scored(scorer, texts):
    probabilities = scorer.probabilities(texts)
    assert probabilities.shape == (len(texts), 3)
    assert np.isfinite(probabilities).all()


def test_progress_is_told_and_a_wish_to_stop_is_heard(scorer, monkeypatch):
    monkeypatch.setattr(score_module, "CPU_TOKEN_BUDGET", 100)
    told = []
    scorer.probabilities(TEXTS, on_progress=lambda done, total: told.append((done, total)))
    assert len(told) > 2
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]
    with pytest.raises(StoppedError, match="scoring stopped after"):
        scorer.probabilities(TEXTS, on_progress=told.append, should_stop=lambda: len(told) > 0)


def test_a_full_gpu_halves_the_batch(scorer, monkeypatch):
    expected = scorer.probabilities(TEXTS)
    as_tensors = score_module.as_tensors

    def crowded(ids, mask, device):
        if len(ids) > limit:
            raise torch.cuda.OutOfMemoryError
        return as_tensors(ids, mask, device)

    monkeypatch.setattr(score_module, "as_tensors", crowded)
    limit = 3
    np.testing.assert_allclose(scorer.probabilities(TEXTS), expected, atol=1e-5)
    limit = 0
    with pytest.raises(TrainerError, match="no room for one text"):
        scorer.probabilities(TEXTS)
