"""A whole run on a corpus of a few hundred lines and a handful of steps."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel

from trainer.pretrain import model as model_room
from trainer.pretrain.batches import walk_batches
from trainer.pretrain.run import take_step, train

TABLE = "bert.embeddings.word_embeddings.weight"


def quiet(_: str) -> None:
    pass


def test_weights_on_disk_are_halves_in_safetensors_alone(make_run, tmp_path, accelerator):
    train(make_run(steps=1), tmp_path / "out", tmp_path / "c", 1e9, accelerator, quiet)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert {t.dtype for t in load_file(tmp_path / "out" / "model.safetensors").values()} == {torch.float16}


def test_large_weights_lie_in_several_files_and_old_ones_are_swept_away(
    make_run, tmp_path, accelerator, monkeypatch
):
    run, out = make_run(steps=1), tmp_path / "out"
    train(run, out, tmp_path / "c", 1e9, accelerator, quiet)
    monkeypatch.setattr(model_room, "LARGEST_FILE", "3KB")
    model_room.save_encoder(run.model.bert, run.text.tokenizer, out)
    assert not (out / "model.safetensors").exists()
    assert len(list(out.glob("model-*.safetensors"))) > 1
    table = AutoModel.from_pretrained(out).state_dict()["embeddings.word_embeddings.weight"]
    assert torch.equal(table, run.model.state_dict()[TABLE].half().float())


def test_going_on_after_a_kill_gives_the_same_as_never_stopping(make_run, tmp_path, accelerator):
    def killed_after_three(line: str) -> None:
        if line.startswith("saved at step 3"):
            raise KeyboardInterrupt

    whole = make_run(tmp_path / "a")
    train(whole, tmp_path / "whole", tmp_path / "a", 1e9, accelerator, quiet)
    with pytest.raises(KeyboardInterrupt):
        train(make_run(tmp_path / "b"), tmp_path / "half", tmp_path / "b", 0, accelerator, killed_after_three)
    rest = make_run(tmp_path / "b")
    assert rest.tally.step == 3
    train(rest, tmp_path / "half", tmp_path / "b", 1e9, accelerator, quiet)
    expected = load_file(tmp_path / "whole" / "model.safetensors")
    found = load_file(tmp_path / "half" / "model.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
    assert (rest.tally.step, rest.tally.tokens) == (whole.tally.step, whole.tally.tokens)


def test_the_seed_decides(make_run):
    first, same, other = (make_run(seed=seed).model.state_dict() for seed in (1, 1, 2))
    name = "bert.encoder.layer.0.output.dense.weight"
    assert torch.equal(first[name], same[name])
    assert not torch.equal(first[name], other[name])


def test_learns_and_teaches_the_pooler_too(make_run, accelerator):
    run = make_run(steps=40, learning_rate=0.01)
    batches = walk_batches(run.text.corpus, run.config, 0, 1)
    losses = [take_step(run, run.model, next(batches), accelerator).item() for _ in range(40)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.3
    assert not torch.allclose(run.model.bert.pooler.dense.weight, torch.eye(16), atol=0.01)
