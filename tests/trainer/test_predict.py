import io
import json

import pytest

from trainer.labels import LABELS
from trainer.predict import main


@pytest.fixture
def predict(trained, capsys):
    def run(*arguments):
        status = main([f"--model={trained}", *arguments])
        captured = capsys.readouterr()
        return status, [json.loads(line) for line in captured.out.split("\n") if line], captured.err

    return run


def test_one_text(predict):
    status, (line,), _ = predict("--text", "去死去死去死")
    assert status == 0
    assert line.keys() == {"id", "label", "confidence", "probabilities"}
    assert line["label"] == "violation"
    assert tuple(line["probabilities"]) == LABELS
    assert line["confidence"] == max(line["probabilities"].values())


def test_a_file_answers_by_id_in_its_order(predict, tmp_path):
    path = tmp_path / "posts.tsv"
    path.write_text('id\ttext\nb\t"加微信加微信\na\t天气真好\n', encoding="utf-8")
    _, lines, _ = predict("--batch", str(path))
    assert [(line["id"], line["label"]) for line in lines] == [("b", "suspicious"), ("a", "normal")]


def test_a_prompt_answers_line_by_line(predict, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("天气真好\n\n去死\u2028去死\n"))
    _, lines, _ = predict()
    assert [(line["id"], line["label"]) for line in lines] == [("1", "normal"), ("2", "violation")]


def test_a_wrong_folder_is_one_line(tmp_path, capsys):
    assert main([f"--model={tmp_path}", "--text=x"]) == 1
    assert (
        capsys.readouterr().err
        == f"error: {tmp_path}: card.json is missing, so this is not an adapter of ours; train one\n"
    )
