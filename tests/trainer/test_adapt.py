"""The command line of an adaptation, and its errors in one sentence."""

import json
from pathlib import Path

import pytest

from tests.encoders import make_tiny_encoder
from trainer.adapt import main


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "posts.txt"
    path.write_text("\n".join(f"今天天气真好大家好{number}" for number in range(200)), encoding="utf-8")
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main([*map(str, arguments)]) == 1
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    return error


def test_it_writes_the_encoder_and_removes_its_checkpoint(corpus, tmp_path, capsys):
    base, out, progress = make_tiny_encoder(tmp_path / "base"), tmp_path / "out", tmp_path / "p.jsonl"
    arguments = ["--corpus", corpus, "--base", base, "--out", out, "--steps", 3, "--progress", progress]
    assert main([*map(str, arguments)]) == 0
    assert "before" in capsys.readouterr().out
    assert {"model.safetensors", "README.md", "adaptation.json"} <= {file.name for file in out.iterdir()}
    assert not (tmp_path / "out.checkpoint").exists()
    last = json.loads(progress.read_text(encoding="utf-8").splitlines()[-1])
    assert (last["step"], last["steps"]) == (3, 3)


def test_a_missing_corpus_file(tmp_path, capsys):
    error = refused(capsys, "--corpus", tmp_path / "none.txt", "--out", tmp_path / "out")
    assert "none.txt: no such corpus file" in error


def test_no_time_is_refused(corpus, tmp_path, capsys):
    error = refused(capsys, "--corpus", corpus, "--out", tmp_path / "out", "--minutes", "0")
    assert "must be above zero" in error


def test_a_base_that_is_not_there(corpus, tmp_path, capsys):
    error = refused(capsys, "--corpus", corpus, "--out", tmp_path / "out", "--base", tmp_path / "gone")
    assert "gone: no such folder" in error
