import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.trainer.toy import toy_examples
from trainer.config import TrainConfig, planned_steps
from trainer.errors import TrainerError
from trainer.fitting.adapter_trainer import AdapterTrainer
from trainer.fitting.training import fit, label_weights
from trainer.running.progress import Silent
from trainer.statistics.metrics import macro_f1


class Recorder(Silent):
    def __init__(self):
        self.steps, self.resumed, self.notes = [], [], []

    def resume(self, done, total):
        self.resumed.append((done, total))

    def step(self, done, total, **facts):
        self.steps.append((done, total, facts))

    def note(self, **facts):
        self.notes.append(facts)


@pytest.fixture
def short(toy_config):
    return replace(toy_config, max_epochs=2)


def test_training_beats_chance_by_far(toy_config):
    progress = Recorder()
    fitted = fit(toy_examples(150, 0), toy_examples(60, 1), toy_config, progress=progress)
    scores = [epoch.macro_f1 for epoch in fitted.epochs]
    assert max(scores) > 0.8
    assert scores[fitted.best_epoch - 1] == max(scores)
    assert [note["epoch"] for note in progress.notes] == list(range(1, len(scores) + 1))
    assert progress.steps[-1][2].keys() == {"epoch", "loss"}


def test_the_best_epoch_is_the_one_that_is_kept(short):
    validation = toy_examples(60, 1)
    fitted = fit(toy_examples(60, 0), validation, short, progress=Silent())
    truth = [example.target.index(1.0) for example in validation]
    kept = macro_f1(np.array(truth), fitted.validation_logits.argmax(axis=1))
    assert kept == fitted.epochs[fitted.best_epoch - 1].macro_f1


def test_the_same_seed_gives_the_same_adapter_and_leaves_the_callers_generator_alone(short):
    rows = toy_examples(48, 0)
    state, python, arrays = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    first, second, other = (
        fit(rows, rows, replace(short, seed=seed), progress=Silent()).validation_logits for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-3
    assert torch.equal(torch.get_rng_state(), state)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == (python, arrays)


class Killer(Silent):
    """Dies in the middle of an epoch, like a killed process."""

    def __init__(self, epoch):
        self.epoch = epoch

    def step(self, done, total, *, epoch=0, **facts):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def test_a_killed_training_ends_where_it_would_have_ended(toy_config, tmp_path):
    config, checkpoint = replace(toy_config, max_epochs=4, dropout=0.1), tmp_path / "checkpoint"
    rows, held_out = toy_examples(48, 0), toy_examples(30, 1)
    whole = fit(rows, held_out, config, progress=Silent())
    for epoch in (2, 4):
        with pytest.raises(KeyboardInterrupt):
            fit(rows, held_out, config, progress=Killer(epoch), checkpoint=checkpoint)
    progress = Recorder()
    resumed = fit(rows, held_out, config, progress=progress, checkpoint=checkpoint)
    assert progress.resumed == [(9, 12)]
    assert [note["epoch"] for note in progress.notes] == [4]
    np.testing.assert_array_equal(whole.validation_logits, resumed.validation_logits)
    assert (resumed.epochs, resumed.best_epoch) == (whole.epochs, whole.best_epoch)


def test_a_killed_training_in_half_precision_goes_on_with_its_loss_scale(toy_config, tmp_path, monkeypatch):
    class Scaled(AdapterTrainer):
        def create_accelerator_and_postprocess(self):
            super().create_accelerator_and_postprocess()
            self.accelerator.scaler = scalers[-1] = torch.amp.GradScaler("cpu", growth_interval=2)

    monkeypatch.setattr("trainer.fitting.training.AdapterTrainer", Scaled)
    config, rows, scalers = replace(toy_config, max_epochs=3), toy_examples(48, 0), [None]
    fit(rows, rows, config, progress=Silent())
    whole = scalers[-1].get_scale()
    with pytest.raises(KeyboardInterrupt):
        fit(rows, rows, config, progress=Killer(3), checkpoint=tmp_path / "checkpoint")
    fit(rows, rows, config, progress=Silent(), checkpoint=tmp_path / "checkpoint")
    assert scalers[-1].get_scale() == whole > 2.0**16


@pytest.mark.parametrize("other", [{"seed": 1}, {"learning_rate": 1e-4}])
def test_another_training_does_not_go_on_from_a_checkpoint(short, tmp_path, other):
    rows, checkpoint = toy_examples(48, 0), tmp_path / "checkpoint"
    fit(rows, rows, short, progress=Silent(), checkpoint=checkpoint)
    files = {path.name for path in checkpoint.rglob("*") if path.is_file()}
    assert files == {"training.safetensors", "trainer_state.json"}, "the Trainer would write pickles"
    progress = Recorder()
    fit(rows, rows, replace(short, **other), progress=progress, checkpoint=checkpoint)
    assert [note["epoch"] for note in progress.notes] == [1, 2]


def test_a_training_may_start_from_an_earlier_adapter(toy_config):
    rows, held_out = toy_examples(90, 0), toy_examples(60, 1)
    earlier = fit(rows, held_out, toy_config, progress=Silent())
    last = replace(toy_config, max_epochs=1, learning_rate=1e-9)
    before = earlier.validation_logits
    warm = fit(rows, held_out, last, progress=Silent(), start=earlier.encoder)
    np.testing.assert_allclose(warm.validation_logits, before, atol=1e-4)


def test_training_stops_when_it_gets_no_better(short, monkeypatch):
    monkeypatch.setattr("trainer.fitting.adapter_trainer.macro_f1", lambda *_: 0.5)
    config = replace(short, max_epochs=30, patience=2)
    fitted = fit(toy_examples(32, 0), toy_examples(9, 1), config, progress=Silent())
    assert (len(fitted.epochs), fitted.best_epoch) == (3, 1)


def test_without_validation_rows_the_last_epoch_is_kept(short):
    fitted = fit(toy_examples(32, 0), [], short, progress=Silent())
    assert fitted.best_epoch == len(fitted.epochs) == 2
    assert fitted.steps == 4
    assert fitted.validation_logits.shape == (0, 3)
    assert "no validation rows: the last epoch was kept" in fitted.warnings


def test_few_validation_rows_make_a_rough_choice(short):
    fitted = fit(toy_examples(32, 0), toy_examples(29, 1), short, progress=Silent())
    assert "only 29 validation rows: the choice of the epoch is rough" in fitted.warnings


def test_one_label_alone_cannot_be_trained(short):
    with pytest.raises(TrainerError, match="fewer than two different labels"):
        fit(toy_examples(8, 0, ["normal"]), [], short, progress=Silent())


def test_a_label_without_rows_is_told(short):
    rows = toy_examples(32, 0, ["normal", "violation"])
    assert any("suspicious" in warning for warning in fit(rows, [], short, progress=Silent()).warnings)


def test_a_loss_that_is_no_number_ends_the_training(short):
    rows = [replace(row, target=(float("nan"), 0.0, 0.0)) for row in toy_examples(32, 0)]
    with pytest.raises(TrainerError, match=r"not a number any more \(epoch 1, step 2\)"):
        fit(rows, [], short, progress=Silent())


def test_a_full_gpu_halves_the_pieces_and_keeps_the_batch(short, monkeypatch):
    """The gradient of a batch is the same in one piece or in several; the card tells of it."""
    whole = fit(toy_examples(32, 0), toy_examples(30, 1), short, progress=Silent())
    limit_batches(monkeypatch, 5)
    pieces = fit(toy_examples(32, 0), toy_examples(30, 1), short, progress=Silent())
    np.testing.assert_allclose(whole.validation_logits, pieces.validation_logits, atol=1e-3)
    assert [warning for warning in pieces.warnings if "pieces of 4" in warning]


def test_a_gpu_too_small_for_one_post_is_told(short, monkeypatch):
    limit_batches(monkeypatch, 0)
    with pytest.raises(TrainerError, match="no room for one post"):
        fit(toy_examples(32, 0), [], short, progress=Silent())


def limit_batches(monkeypatch, rows):
    class Crowded(AdapterTrainer):
        def compute_loss(self, model, inputs, *rest, **settings):
            if len(inputs["targets"]) > rows:
                raise torch.cuda.OutOfMemoryError
            return super().compute_loss(model, inputs, *rest, **settings)

    monkeypatch.setattr("trainer.fitting.training.AdapterTrainer", Crowded)


def test_rare_labels_weigh_the_root_of_their_rarity_up_to_the_cap():
    counts = {"normal": 900, "suspicious": 100, "violation": 1}
    np.testing.assert_allclose(label_weights(counts, 5.0), [1, 3, 5])
    np.testing.assert_allclose(label_weights(counts, 1.0), [1, 1, 1])


@pytest.mark.parametrize(
    ("rows", "steps"),
    [(16, 100), (1_600, 500), (1_000_000, 20_000)],
    ids=["a small set runs more epochs", "max_epochs", "max_steps"],
)
def test_steps_are_planned(rows, steps):
    assert planned_steps(rows, TrainConfig()) == steps


def test_a_training_of_one_step_works(short):
    fitted = fit(toy_examples(8, 0), [], replace(short, max_epochs=1), progress=Silent())
    assert len(fitted.epochs) == 1
