import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from safetensors.numpy import load_file
from transformers import TrainerCallback
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

from tests.encoders import make_tiny_encoder
from trainer.adapters.card import read_card
from trainer.adapters.folders import WEIGHTS
from trainer.files import sha256_of
from trainer.linear.folded import read_judged
from trainer.running.progress import Silent
from trainer.statistics.calibration import Calibration
from trainer.statistics.table import metrics_table
from trainer.texts.copies import without_copies
from trainer.texts.dataset import read_jsonl
from trainer.train import main, train


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


def test_trains_from_the_command_line(command, tmp_path, capsys):
    progress = tmp_path / "progress.jsonl"
    assert main([*command, "--seed=5", "--quick", f"--progress={progress}"]) == 0
    card = read_card(tmp_path / "out")
    assert card.seed == card.config.seed == 5
    lines = [json.loads(line) for line in progress.read_text(encoding="utf-8").splitlines()]
    assert lines[0].keys() == {"step", "steps", "epoch", "loss", "seconds_left"}
    assert lines[-1].keys() == {"epoch", "loss", "macro_f1"}
    first, second, *table = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{tmp_path / 'out'}: trained on 150 posts (")
    assert second.startswith("Figures on the 60 validation posts")
    assert table == metrics_table(card.validation).splitlines()


def test_a_killed_training_goes_on_and_leaves_no_trace(command, toy_files, toy_config, trained, tmp_path):
    class Killer(Silent):
        def note(self, *, epoch, **_):
            if epoch == 4:
                raise KeyboardInterrupt

    files = (toy_files["train"], toy_files["validation"], tmp_path / "out", toy_config)
    with pytest.raises(KeyboardInterrupt):
        train(*files, Killer())
    assert not (tmp_path / "out").exists()
    train(*files, Silent())
    assert sha256_of(tmp_path / "out" / WEIGHTS) == sha256_of(trained / WEIGHTS)
    assert [path.name for path in tmp_path.iterdir() if "checkpoint" in path.name] == []


@pytest.fixture(scope="module")
def briefly(toy_config):
    return replace(toy_config, max_epochs=2)


@pytest.fixture(scope="module")
def folded(toy_files, briefly, tmp_path_factory):
    """An adapter calibrated on three folds, in a folder of its own."""
    out = tmp_path_factory.mktemp("folded") / "whole"
    train(toy_files["train"], toy_files["validation"], out, replace(briefly, calibration_folds=3), Silent())
    return out


def test_killed_in_a_fold_it_goes_on_there_and_leaves_no_trace(toy_files, briefly, folded, tmp_path):
    class Killer(Silent):
        def step(self, done, total, **_):
            if done > total - 5:
                raise KeyboardInterrupt

    class Resumed(Silent):
        done = 0

        def resume(self, done, total):
            self.done = done

        def step(self, done, total, **_):
            assert done > self.done, "a finished training was repeated"

    config = replace(briefly, calibration_folds=3)
    files = (toy_files["train"], toy_files["validation"])
    whole = read_card(folded)
    with pytest.raises(KeyboardInterrupt):
        train(*files, tmp_path / "out", config, Killer())
    assert {path.name for path in (tmp_path / ".out.checkpoints").iterdir()} == {
        "whole",
        "fold-1",
        "fold-2",
        "fold-3",
    }
    progress = Resumed()
    card = train(*files, tmp_path / "out", config, progress)
    assert progress.done > 20
    assert card.calibration == whole.calibration
    assert (card.calibration.fitted_on, card.calibration.rows) == ("out-of-fold", 210)
    assert any("out-of-fold" in warning for warning in card.warnings)
    judged = read_judged(tmp_path / "out")
    assert judged == read_judged(folded)
    assert judged is not None
    assert judged["posts"] == 150
    assert judged["linear"]["other"] > 0.8
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in folded.parent.iterdir()] == ["whole"]


def test_folds_change_nothing_of_the_adapter_itself(toy_files, briefly, folded, tmp_path):
    train(toy_files["train"], toy_files["validation"], tmp_path / "out", briefly, Silent())
    assert sha256_of(tmp_path / "out" / WEIGHTS) == sha256_of(folded / WEIGHTS)


@pytest.mark.ci
def test_several_processes_train_the_same_adapter(command, trained, toy_config, tmp_path):
    config = tmp_path / "config.json"
    config.write_text(json.dumps(toy_config.to_dict() | {"calibration_folds": 3}), encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    launch += ["-m", "trainer.train", *command]
    done = subprocess.run(
        launch, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    together, alone = read_card(tmp_path / "out"), read_card(trained)
    assert together.device.startswith("2 x ")
    assert together.calibration.fitted_on == "out-of-fold"
    losses = [[epoch.loss for epoch in card.epochs] for card in (together, alone)]
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-3)
    # Later on Adam makes much of next to nothing: gradients are added up in another order.
    assert losses[0] == pytest.approx(losses[1], abs=0.03)


@pytest.fixture
def again(toy_files, trained, tmp_path):
    files = [f"--train={toy_files['train']}", f"--eval={toy_files['validation']}"]
    return [*files, f"--again={trained}", f"--out={tmp_path / 'out'}", f"--progress={tmp_path / 'p'}"]


def test_a_card_and_the_files_it_hashes_make_the_adapter_again(again, trained, tmp_path, capsys):
    assert main(again) == 0
    assert "the same weights, bit for bit" in capsys.readouterr().out
    before, after = read_card(trained), read_card(tmp_path / "out")
    clocks = {"created", "seconds", "posts_per_second"}
    receipts = [
        {name: value for name, value in card.to_dict().items() if name not in clocks}
        for card in (before, after)
    ]
    assert receipts[0] == receipts[1]
    assert sha256_of(tmp_path / "out" / WEIGHTS) == sha256_of(trained / WEIGHTS)


def test_made_again_elsewhere_the_difference_is_told(again, edit_card, tmp_path, capsys):
    def elsewhere(card):
        card["versions"]["torch"] = "1.0"
        card["config"]["seed"] = card["seed"] = 9

    assert main([*again, f"--again={edit_card(elsewhere)}"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("other weights (other torch): validation macro-F1 ")


def test_nothing_is_made_again_from_other_files(again, toy_files, trained, tmp_path, capsys):
    assert main([*again, f"--train={toy_files['test']}"]) == 1
    assert "not the train rows of" in capsys.readouterr().err
    other = make_tiny_encoder(tmp_path / "other", seed=1)
    assert main([*again, f"--base={other}"]) == 1
    assert "not the encoder under" in capsys.readouterr().err
    for other in ("--quick", "--seed=0", "--preset=note", "--config=x.json"):
        with pytest.raises(SystemExit):
            main([*again, other])
    assert not (tmp_path / "out").exists()


def test_the_preset_of_the_note_is_its_recipe(command, tmp_path):
    command = [part for part in command if not part.startswith("--config")]
    base = f"--base={json.loads((tmp_path / 'config.json').read_text(encoding='utf-8'))['base']}"
    assert main([*command, base, "--preset=note", f"--progress={tmp_path / 'p'}"]) == 0
    config = read_card(tmp_path / "out").config
    assert (config.rank, config.alpha, config.batch_size, config.max_epochs) == (16, 32, 32, 3)
    assert config.rate_for(256) == 2e-5
    adapter = json.loads((tmp_path / "out" / "adapter_config.json").read_text(encoding="utf-8"))
    assert sorted(adapter["target_modules"]) == ["query", "value"]
    weights = load_file(tmp_path / "out" / WEIGHTS)
    assert {name.split(".")[-3] for name in weights if "lora" in name} == {"query", "value"}


def test_an_empty_eval_file_warns(command, tmp_path, capsys):
    (tmp_path / "empty.jsonl").touch()
    assert main([*command, f"--eval={tmp_path / 'empty.jsonl'}", f"--progress={tmp_path / 'p'}"]) == 0
    assert "warning: no validation rows" in capsys.readouterr().err
    card = read_card(tmp_path / "out")
    assert card.validation is None
    assert card.calibration == Calibration.identity()
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


def test_a_tracker_that_is_not_installed_is_named_before_anything_is_read(
    command, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("trainer.train.find_spec", lambda _name: None)
    assert main([*command, "--report-to=mlflow", "--train=/nowhere", f"--progress={tmp_path / 'p'}"]) == 1
    assert capsys.readouterr().err == "error: --report-to mlflow needs mlflow; run `pip install mlflow`\n"


def test_losses_and_scores_go_to_a_tracker(command, tmp_path, monkeypatch):
    logged = []

    class Tracker(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            logged.append((state.global_step, logs.keys()))

    monkeypatch.setitem(INTEGRATION_TO_CALLBACK, "wandb", Tracker)
    monkeypatch.setattr("trainer.train.find_spec", lambda _name: True)
    assert main([*command, "--report-to=wandb", f"--progress={tmp_path / 'p'}"]) == 0
    assert (10, {"loss", "grad_norm", "learning_rate", "epoch"}) in logged
    assert (10, {"eval_macro_f1", "epoch"}) in logged


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


def test_rows_that_validation_holds_too_are_left_out_and_counted(command, toy_files, tmp_path, capsys):
    rows = toy_files["train"].read_text(encoding="utf-8")
    shared = toy_files["validation"].read_text(encoding="utf-8").splitlines(keepends=True)[:7]
    both = tmp_path / "both.jsonl"
    both.write_text(rows + "".join(shared), encoding="utf-8")
    apart = len(without_copies(read_jsonl(both), read_jsonl(toy_files["validation"])))
    assert main([*command, f"--train={both}"]) == 0
    left_out = 157 - apart
    assert left_out >= 7
    assert f"warning: {left_out} training rows have the text of a validation row" in capsys.readouterr().err
    assert read_card(tmp_path / "out").data["train"].rows == apart


def test_training_on_what_it_is_evaluated_on_is_refused(command, toy_files, tmp_path, capsys):
    assert main([*command, f"--train={toy_files['validation']}"]) == 1
    error = capsys.readouterr().err
    assert "nothing is left to train on" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
