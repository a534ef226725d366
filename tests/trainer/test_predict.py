import io
import json

import pytest

from trainer.labels import LABELS
from trainer.predict import in_words, main


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


@pytest.fixture
def terminal(monkeypatch):
    """Standard input and output are a terminal at which these lines are typed."""

    def typed(text):
        stdin = io.StringIO(text)
        stdin.isatty = lambda: True
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    return typed


def test_at_a_terminal_the_prompt_says_how_to_leave_and_answers_in_words(trained, terminal, capsys):
    terminal("去死去死去死\n\n天气真好\n")
    assert main([f"--model={trained}"]) == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("Type a text and press Enter. An empty line or Ctrl-D leaves.\ntext> ")
    first, *bars = captured.out.splitlines()
    assert first.startswith("violation, ")
    assert [line.split()[0] for line in bars] == list(LABELS)
    assert bars[LABELS.index("violation")].endswith("###")


def test_at_a_terminal_the_end_of_input_leaves_on_a_line_of_its_own(trained, terminal, capsys):
    terminal("天气真好\n")
    assert main([f"--model={trained}"]) == 0
    assert capsys.readouterr().err.endswith("text> text> \n")


def test_json_can_be_had_at_a_terminal(predict, terminal):
    terminal("天气真好\n")
    assert [line["label"] for line in predict("--json")[1]] == ["normal"]


def test_a_file_gives_json_at_a_terminal(predict, terminal, tmp_path):
    terminal("")
    (tmp_path / "posts.txt").write_text("天气真好\n去死去死\n", encoding="utf-8")
    _, lines, error = predict("--batch", str(tmp_path / "posts.txt"))
    assert len(lines) == 2
    assert error == ""


def test_bars_are_as_long_as_the_probabilities():
    shares = dict(zip(LABELS, (0.0, 0.25, 0.75), strict=True))
    lines = in_words({"label": "violation", "confidence": 0.75, "probabilities": shares}).split("\n")
    assert lines == [
        "violation, 75.0% sure",
        "  normal        0.0%",
        "  suspicious   25.0%  ########",
        "  violation    75.0%  " + "#" * 22,
    ]


def test_a_wrong_folder_is_one_line(tmp_path, capsys):
    assert main([f"--model={tmp_path}", "--text=x"]) == 1
    assert (
        capsys.readouterr().err
        == f"error: {tmp_path}: card.json is missing, so this is not an adapter of ours; train one\n"
    )
