import json

import pytest

from trainer.card import read_card
from trainer.train import main


@pytest.fixture
def command(toy_files, toy_config, tmp_path):
    """Arguments of a short training; more of them override."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(toy_config.to_dict() | {"max_epochs": 1}), encoding="utf-8")
    files = [f"--train={toy_files['train']}", f"--eval={toy_files['validation']}", f"--config={config}"]
    return [*files, f"--out={tmp_path / 'out'}"]


def test_an_adapter_folder_holds_everything_and_nothing_else(trained):
    assert sorted(path.name for path in trained.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "card.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert not [path for path in trained.parent.iterdir() if path != trained]


def test_trains_from_the_command_line(command, tmp_path):
    progress = tmp_path / "progress.jsonl"
    assert main([*command, "--seed=5", "--quick", f"--progress={progress}"]) == 0
    card = read_card(tmp_path / "out")
    assert card.seed == card.config.seed == 5
    lines = [json.loads(line) for line in progress.read_text(encoding="utf-8").splitlines()]
    assert lines[0].keys() == {"step", "steps", "epoch", "loss", "seconds_left"}
    assert lines[-1].keys() == {"epoch", "loss", "macro_f1"}


def test_an_empty_eval_file_warns(command, tmp_path, capsys):
    (tmp_path / "empty.jsonl").touch()
    assert main([*command, f"--eval={tmp_path / 'empty.jsonl'}", f"--progress={tmp_path / 'p'}"]) == 0
    assert "warning: no validation rows" in capsys.readouterr().err
    card = read_card(tmp_path / "out")
    assert card.validation is None
    assert "not measured" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--train=/nowhere.jsonl"], "/nowhere.jsonl: cannot be read"),
        (["--base=/nowhere"], "/nowhere: no such folder"),
        (["--config=/nowhere.json"], "/nowhere.json: cannot be read as JSON"),
    ],
)
def test_a_refusal_is_one_line_and_leaves_nothing(command, tmp_path, capsys, arguments, message):
    assert main([*command, f"--progress={tmp_path / 'p'}", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_wrong_label_is_refused_before_anything_is_loaded(command, tmp_path, capsys):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "x", "label": "normal"}\n{"text": "x", "label": "bad"}\n', encoding="utf-8")
    assert main([*command, f"--train={path}", "--base=/nowhere", f"--progress={tmp_path / 'p'}"]) == 1
    assert f"{path}, line 2: unknown label 'bad'" in capsys.readouterr().err


def test_settings_must_be_an_object(command, tmp_path, capsys):
    (tmp_path / "list.json").write_text("[]", encoding="utf-8")
    assert main([*command, f"--config={tmp_path / 'list.json'}", f"--progress={tmp_path / 'p'}"]) == 1
    assert "expected an object of settings" in capsys.readouterr().err


def test_a_result_is_never_overwritten(command, trained, tmp_path, capsys):
    assert main([*command, f"--out={trained}", f"--progress={tmp_path / 'p'}"]) == 1
    assert "already exists" in capsys.readouterr().err


def test_wrong_usage_is_2(capsys):
    with pytest.raises(SystemExit) as exit_:
        main([])
    assert exit_.value.code == 2
    assert "usage:" in capsys.readouterr().err
