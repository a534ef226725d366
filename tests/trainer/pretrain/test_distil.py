"""Distillation from the command line, on a tiny encoder and vectors that two words decide."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoTokenizer

from tests.trainer.pretrain.conftest import make_lines
from trainer.pretrain import distil
from trainer.pretrain.distillation import likenesses, mean_vectors
from trainer.pretrain.run import train as pretrain
from trainer.pretrain.taught import save_taught

FAST = ["--cpu", "--threads", "1", "--batch-tokens", "300", "--pool", "256"]


@pytest.fixture
def base(make_run, tmp_path, accelerator):
    pretrain(make_run(steps=1), tmp_path / "base", tmp_path / "c", 1e9, accelerator, lambda _: None)
    return tmp_path / "base"


@pytest.fixture
def taught(tmp_path):
    lines = [line for line in make_lines(600, seed=2) if line]
    kinds = np.array([2 * ("hello" in line) + ("论坛" in line) for line in lines])
    save_taught(lines, np.eye(4, dtype=np.float16)[kinds], tmp_path / "taught.safetensors", {})
    return tmp_path / "taught.safetensors"


def run(base, taught, out, *more):
    return distil.main(["--base", str(base), "--taught", str(taught), "--out", str(out), *FAST, *more])


def cosine(said: str) -> float:
    return float(said.strip().splitlines()[-1].rpartition(" ")[2])


def test_vectors_come_nearer_to_the_teachers(base, taught, tmp_path, capsys):
    run(base, taught, tmp_path / "short", "--steps", "1")
    before = cosine(capsys.readouterr().out)
    run(base, taught, tmp_path / "out", "--steps", "200", "--learning-rate", "1e-2")
    assert cosine(capsys.readouterr().out) > before + 0.3
    model = AutoModel.from_pretrained(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert model(**tokenizer("今天", return_tensors="pt")).pooler_output.shape == (1, 16)


def test_going_on_after_a_kill_gives_the_same_as_never_stopping(base, taught, tmp_path, monkeypatch):
    run(base, taught, tmp_path / "whole", "--steps", "6")
    take_step, taken = distil.take_step, []

    def killed_in_the_fourth(*arguments):
        if len(taken) == 3:
            raise KeyboardInterrupt
        taken.append(1)
        return take_step(*arguments)

    monkeypatch.setattr(distil, "take_step", killed_in_the_fourth)
    assert run(base, taught, tmp_path / "half", "--steps", "6", "--save-every", "0") == 130
    monkeypatch.undo()
    run(base, taught, tmp_path / "half", "--steps", "6")
    expected = load_file(tmp_path / "whole" / "model.safetensors")
    found = load_file(tmp_path / "half" / "model.safetensors")
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


def test_a_folder_without_an_encoder(taught, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", taught, tmp_path / "out", "--steps", "1") == 1
    said = capsys.readouterr().err
    assert "not a BERT encoder with its tokenizer" in said
    assert len(said.splitlines()) == 1


def test_the_mean_leaves_special_tokens_and_padding_out():
    states = torch.arange(10, dtype=torch.float32).reshape(1, 5, 2)
    assert mean_vectors(states, torch.tensor([[2, 7, 8, 3, 0]])).tolist() == [[3.0, 4.0]]
    assert mean_vectors(states, torch.tensor([[2, 3, 0, 0, 0]])).tolist() == [[0.0, 0.0]]


def test_likenesses_are_cosines():
    found = likenesses(torch.tensor([[1.0, 0.0], [3.0, 3.0]]))
    assert found == pytest.approx(np.array([[1, 0.5**0.5], [0.5**0.5, 1]]), abs=1e-6)
