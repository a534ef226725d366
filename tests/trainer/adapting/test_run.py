"""A whole adaptation of a tiny encoder in a handful of steps."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from trainer.adapters.encoder import load_tokenizer
from trainer.adapters.folders import base_fingerprint
from trainer.adapting import run
from trainer.adapting.run import begin, finish, go_on, settings, usual_rate
from trainer.errors import DatasetError, TrainerError
from trainer.running.progress import Silent
from trainer.texts.tokens import fingerprint


class Stopping(Silent):
    """Ends the run after some steps, as a kill does."""

    def __init__(self, after: int) -> None:
        self.after = after

    def step(self, done: int, total: int, **facts: object) -> None:
        self.after -= 1
        if not self.after:
            raise KeyboardInterrupt


@pytest.fixture
def run_of(base, corpus, accelerator):
    def make(checkpoint, **changes):
        config = replace(settings([corpus], steps=8, learning_rate=3e-3), **({"batch_tokens": 200} | changes))
        return begin(config, base, str(base), checkpoint, accelerator)

    return make


def test_the_masked_loss_of_texts_that_are_only_measured_falls(run_of, tmp_path, accelerator):
    adapting = run_of(tmp_path / "c", steps=60)
    go_on(adapting, tmp_path / "c", accelerator, Silent())
    done = finish(adapting, tmp_path / "out", accelerator)
    assert done.loss_after < done.loss_before - 0.5
    assert 0 < done.measured_texts < done.texts
    assert done.texts + done.measured_texts == 600
    assert done.steps == 60
    assert done.tokens_read > 60 * 50


def test_going_on_after_a_kill_gives_the_same_weights_as_never_stopping(run_of, tmp_path, accelerator):
    whole = run_of(tmp_path / "a")
    go_on(whole, tmp_path / "a", accelerator, Silent())
    finish(whole, tmp_path / "whole", accelerator)
    with pytest.raises(KeyboardInterrupt):
        go_on(run_of(tmp_path / "b"), tmp_path / "b", accelerator, Stopping(3), save_every=0)
    rest = run_of(tmp_path / "b")
    assert rest.run.tally.step == 3
    go_on(rest, tmp_path / "b", accelerator, Silent())
    done = finish(rest, tmp_path / "half", accelerator)
    expected = load_file(tmp_path / "whole" / "model.safetensors")
    weights = load_file(tmp_path / "half" / "model.safetensors")
    assert all(torch.equal(weights[name], tensor) for name, tensor in expected.items())
    assert done.tokens_read == whole.run.tally.tokens
    assert done.loss_before == whole.before


def test_a_budget_of_minutes_ends_by_the_clock(run_of, tmp_path, accelerator):
    seconds = iter(range(0, 1000, 20))
    adapting = run_of(tmp_path / "c", steps=None, minutes=1.0)
    go_on(adapting, tmp_path / "c", accelerator, Silent(), clock=lambda: next(seconds))
    assert adapting.run.tally.step == 3


def test_a_small_pool_is_not_read_again_and_again(run_of, tmp_path, accelerator, monkeypatch):
    monkeypatch.setattr(run, "MOST_PASSES", 2)
    adapting = run_of(tmp_path / "c", steps=100_000, batch_tokens=2_000)
    go_on(adapting, tmp_path / "c", accelerator, Silent())
    done = finish(adapting, tmp_path / "out", accelerator)
    assert 2 <= done.passes < 2.5


def test_the_result_is_an_encoder_with_the_tokenizer_of_its_base(run_of, base, tmp_path, accelerator):
    adapting = run_of(tmp_path / "c")
    go_on(adapting, tmp_path / "c", accelerator, Silent())
    out = tmp_path / "out"
    finish(adapting, out, accelerator)
    assert base_fingerprint(out) != base_fingerprint(base)
    tokenizers = (load_tokenizer(folder) for folder in (out, base))
    assert len({fingerprint(tokenizer, 128) for tokenizer in tokenizers}) == 1
    before, after = (AutoModel.from_pretrained(folder).state_dict() for folder in (base, out))
    name = "encoder.layer.0.output.dense.weight"
    assert not torch.equal(before[name], after[name])
    facts = json.loads((out / "adaptation.json").read_text(encoding="utf-8"))
    assert facts["base_fingerprint"] == base_fingerprint(base)
    assert "before" in (out / "README.md").read_text(encoding="utf-8")


def test_an_existing_folder_is_not_replaced(run_of, tmp_path, accelerator):
    adapting = run_of(tmp_path / "c")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(TrainerError, match="already exists"):
        finish(adapting, tmp_path / "out", accelerator)


def test_weights_that_are_not_finite_are_not_written(run_of, tmp_path, accelerator):
    adapting = run_of(tmp_path / "c")
    torch.nn.init.constant_(adapting.run.model.bias, float("nan"))
    with pytest.raises(TrainerError, match="not finite"):
        finish(adapting, tmp_path / "out", accelerator)
    assert not (tmp_path / "out").exists()


def test_another_base_does_not_resume_a_checkpoint(run_of, base, tmp_path):
    adapting = run_of(tmp_path / "c")
    (base / "config.json").write_text((base / "config.json").read_text() + "\n")
    with pytest.raises(TrainerError, match="another base"):
        run_of(tmp_path / "c", steps=adapting.run.config.steps)


def test_a_corpus_without_text_to_train_on_is_refused(run_of, corpus, tmp_path):
    corpus.write_text("\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="the corpus is empty"):
        run_of(tmp_path / "c")


@pytest.mark.parametrize(("width", "rate"), [(32, 5e-4), (256, 5e-4), (512, 1.25e-4)])
def test_wider_encoders_learn_more_slowly(width: int, rate: float) -> None:
    assert usual_rate(width) == pytest.approx(rate)
