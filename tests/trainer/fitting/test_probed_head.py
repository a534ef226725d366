from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from transformers import RobertaConfig, RobertaForSequenceClassification

from tests.trainer.fitting.test_training import Killer
from tests.trainer.toy import toy_examples
from trainer.adapters.encoder import Encoder, build
from trainer.config import TrainConfig
from trainer.fitting.probed_head import LARGEST_SPREAD, last_layer, moderate, probe, probe_head
from trainer.fitting.processes import Processes
from trainer.fitting.training import _rows, fit
from trainer.running.progress import Silent
from trainer.scoring.scorer import logits
from trainer.statistics.metrics import macro_f1
from trainer.texts.tokens import tokenise

HERE = Processes(torch.device("cpu"))


@pytest.fixture
def config(toy_config: TrainConfig) -> TrainConfig:
    return replace(toy_config, probed_head=True)


def probed(config: TrainConfig, rows, *, seed: int = 0, processes: Processes = HERE) -> Encoder:
    torch.manual_seed(seed)
    encoder = build(config)
    probe_head(encoder, _rows(encoder, rows, config), processes=processes, seed=0)
    return encoder


def scores_of(encoder: Encoder, rows) -> np.ndarray:
    encoder.model.eval()
    return logits(encoder.model, encoder, tokenise(encoder.tokenizer, [row.text for row in rows], 32))


def head_of(encoder: Encoder) -> nn.Linear:
    layer = last_layer(encoder.model)
    assert layer is not None
    return layer


def test_the_first_weights_beat_chance_without_a_step(config):
    test = toy_examples(90, 1)
    scores = scores_of(probed(config, toy_examples(300, 0)), test)
    assert macro_f1([row.label for row in test], scores.argmax(axis=1), np.ones(len(test))) > 0.5


def test_the_rest_of_the_adapter_stays(config):
    torch.manual_seed(0)
    before, after = build(config), probed(config, toy_examples(48, 0))
    head = {id(parameter) for parameter in head_of(after).parameters()}
    for old, new in zip(before.model.parameters(), after.model.parameters(), strict=True):
        assert id(new) in head or torch.equal(old, new)


def test_the_last_layer_of_a_deeper_classifier_is_probed():
    """RoBERTa's classifier is two layers; the last one gives the labels."""
    shape = RobertaConfig(
        vocab_size=9,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        num_labels=3,
    )
    model = RobertaForSequenceClassification(shape)
    assert last_layer(model) is model.classifier.out_proj


def test_a_layer_that_is_not_trained_is_no_classifier():
    assert last_layer(nn.Linear(4, 3).requires_grad_(False)) is None
    assert last_layer(nn.Linear(4, 3, bias=False)) is None
    assert last_layer(nn.Linear(4, 2)) is None
    assert last_layer(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 3))) is None


@pytest.mark.parametrize(
    "target", [(float("nan"), 0.0, 0.0), (1.0, 0.0, 0.0)], ids=["no number", "one label"]
)
def test_targets_that_teach_nothing_leave_the_random_weights(config, target):
    torch.manual_seed(0)
    random = head_of(build(config)).weight
    rows = [replace(row, target=target) for row in toy_examples(12, 0)]
    assert torch.equal(head_of(probed(config, rows)).weight, random)


def test_vectors_of_tokens_leave_the_random_weights(config, monkeypatch):
    """Some decoders classify every token and choose one afterwards."""
    monkeypatch.setattr("trainer.fitting.probed_head.vectors_into", lambda *_: np.zeros((12, 5, 32)))
    torch.manual_seed(0)
    random = head_of(build(config)).weight
    assert torch.equal(head_of(probed(config, toy_examples(12, 0))).weight, random)


def test_only_so_many_rows_are_read(config, monkeypatch):
    read = []

    def vectors_into(_layer, _encoder, tokens):
        read.append(len(tokens))
        return np.ones((len(tokens), 32))

    monkeypatch.setattr("trainer.fitting.probed_head.MOST_ROWS", 10)
    monkeypatch.setattr("trainer.fitting.probed_head.vectors_into", vectors_into)
    probed(config, toy_examples(12, 0))
    assert read == [10]


def test_every_process_has_the_head_of_the_first(config):
    class Second(Processes):
        def tensor_of_first(self, tensor):
            return torch.full_like(tensor, 7.0)

    head = head_of(probed(config, toy_examples(12, 0), processes=Second(torch.device("cpu"), 1, 2)))
    assert set(head.weight.flatten().tolist()) == set(head.bias.tolist()) == {7.0}


def test_a_killed_training_starts_from_the_same_head_and_resumes_without_another(
    config, tmp_path, monkeypatch
):
    rows, held_out = toy_examples(48, 0), toy_examples(30, 1)
    short, checkpoint = replace(config, max_epochs=3, dropout=0.1), tmp_path / "checkpoint"
    whole = fit(rows, held_out, short, progress=Silent())
    for epoch in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            fit(rows, held_out, short, progress=Killer(epoch), checkpoint=checkpoint)
    monkeypatch.setattr("trainer.fitting.training.probe_head", None)
    resumed = fit(rows, held_out, short, progress=Silent(), checkpoint=checkpoint)
    np.testing.assert_array_equal(whole.validation_logits, resumed.validation_logits)


def test_an_adapter_trained_further_keeps_its_head(config):
    rows, held_out = toy_examples(48, 0), toy_examples(30, 1)
    earlier = fit(rows, held_out, replace(config, max_epochs=2), progress=Silent())
    last = replace(config, max_epochs=1, learning_rate=1e-9)
    further = fit(rows, held_out, last, progress=Silent(), start=earlier.encoder)
    np.testing.assert_allclose(further.validation_logits, earlier.validation_logits, atol=1e-4)


@given(st.integers(0, 99), st.floats(0.1, 10), st.floats(-5, 5))
def test_scores_do_not_depend_on_the_scale_and_place_of_the_vectors(seed, scale, shift):
    rng = np.random.default_rng(seed)
    vectors, targets = rng.normal(size=(40, 3)), np.eye(3)[np.arange(40) % 3]
    weight, bias = probe(vectors, targets)
    moved_weight, moved_bias = probe(vectors * scale + shift, targets)
    moved = (vectors * scale + shift) @ moved_weight.T + moved_bias
    np.testing.assert_allclose(vectors @ weight.T + bias, moved, atol=0.01)


@given(st.integers(0, 99), st.floats(0.001, 100))
def test_large_weights_shrink_and_order_the_labels_as_before(seed, scale):
    rng = np.random.default_rng(seed)
    weight, bias, vectors = rng.normal(size=(3, 4)) * scale, rng.normal(size=3), rng.normal(size=(20, 4))
    smaller, shift = moderate(weight, bias)
    assert np.sqrt(np.mean(smaller**2)) <= LARGEST_SPREAD * 1.001
    np.testing.assert_array_equal(
        (vectors @ weight.T + bias).argsort(axis=1), (vectors @ smaller.T + shift).argsort(axis=1)
    )


def test_small_weights_stay():
    weight, bias = np.full((3, 4), LARGEST_SPREAD / 2), np.ones(3)
    assert np.array_equal(moderate(weight, bias)[0], weight)
    assert not moderate(np.zeros((3, 4)), np.zeros(3))[0].any()


def test_a_label_without_rows_scores_below_the_others(rng):
    targets = np.eye(3)[np.arange(60) % 2 * 2]
    vectors = rng.normal(size=(60, 4)) + targets[:, :1]
    weight, bias = probe(vectors, targets)
    scores = vectors @ weight.T + bias
    chosen = scores.argmax(axis=1)
    assert set(chosen) == {0, 2}
    assert (chosen == targets.argmax(axis=1)).mean() > 0.6


def test_votes_that_disagree_count_by_their_shares(rng):
    """A row of three votes weighs as three rows of one vote each and a third of the weight."""
    vectors = rng.normal(size=(30, 4))
    hard = np.eye(3)[np.arange(30) % 3]
    shared = 0.75 * hard + 0.25 * np.roll(hard, 1, axis=1)
    apart = probe(
        np.concatenate([vectors, vectors]), np.concatenate([0.75 * hard, 0.25 * np.roll(hard, 1, axis=1)])
    )
    for ours, theirs in zip(probe(vectors, shared), apart, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_weights_of_rows_move_the_scores(rng):
    vectors, targets = rng.normal(size=(60, 4)), np.eye(3)[np.arange(60) % 3]
    _, plain = probe(vectors, targets)
    _, heavy = probe(vectors, targets * [1, 1, 5])
    assert heavy[2] - heavy[0] > plain[2] - plain[0]
