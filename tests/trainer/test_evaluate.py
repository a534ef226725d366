import json
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.trainer.toy import copy_of, toy_examples, write_examples
from trainer.errors import DatasetError
from trainer.evaluate import evaluate, main
from trainer.files import sha256_of
from trainer.labels import LABELS
from trainer.linear.folded import save_judged
from trainer.messages import Message
from trainer.running.progress import Silent
from trainer.scoring.scorer import Scorer
from trainer.statistics.evidence import Evidence
from trainer.statistics.gain import Gain
from trainer.statistics.table import metrics_table
from trainer.texts.dataset import read_jsonl
from trainer.train import train


def report_of(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_measures_beside_the_baseline_and_the_champion(trained, toy_files, tmp_path, capsys):
    out = tmp_path / "out"
    files = [f"--test={toy_files['test']}", f"--train={toy_files['train']}", f"--champion={trained}"]
    assert main([f"--model={trained}", f"--out={out}", *files]) == 0
    report = report_of(out)
    assert report["rows"] == 90
    assert report["test_sha256"] == sha256_of(toy_files["test"])
    assert report["metrics"]["macro_f1"] > 0.8
    assert 0 <= report["metrics"]["ece"] <= 1
    assert report["linear"]["macro_f1"] > 0.8
    assert report["comparison"]["outcome"] == "undecided"
    assert report["champion"].keys() == report["metrics"].keys()
    assert report["champion"]["macro_f1"] == report["metrics"]["macro_f1"]  # it is its own rival
    printed = capsys.readouterr().out
    assert printed.startswith(f"{out}: measured on 90 posts.\n{metrics_table(report['metrics'])}\n")
    assert [line.split(":")[0] for line in printed.splitlines()[-3:]] == [
        "macro-F1 of the linear baseline",
        "macro-F1 of the champion",
        "written cases labelled as expected",
    ]
    found = Evidence.from_dict(report["evidence"]["test"])
    assert (found.posts, found.violations, found.macro_f1) == (90, 30, report["metrics"]["macro_f1"])
    assert found.linear is not None
    assert found.linear.other == report["linear"]["macro_f1"]
    assert found.majority.is_proven
    assert report["evidence"]["out_of_fold"] is None
    table = pq.read_table(out / "test_probabilities.parquet")
    probabilities = ["p_normal", "p_suspicious", "p_violation"]
    assert table.column_names == ["id", "group", "label", "weight", *probabilities]
    assert table.num_rows == 90
    total = sum(np.asarray(table[name]) for name in probabilities)
    np.testing.assert_allclose(total, 1, atol=1e-6)


def relabelled(examples, choose):
    names = list(map(choose, examples))
    return [replace(example, label=name) for example, name in zip(examples, names, strict=True)]


def by_chance(examples):
    draw = random.Random(0)
    return relabelled(examples, lambda _: draw.choice(LABELS))


def blind_to_violations(examples):
    return relabelled(examples, lambda row: "suspicious" if row.label == "violation" else row.label)


def with_two_names_swapped(examples):
    swapped = {"normal": "normal", "suspicious": "violation", "violation": "suspicious"}
    return relabelled(examples, lambda row: swapped[row.label])


@pytest.mark.parametrize("spoil", [by_chance, blind_to_violations, with_two_names_swapped])
def test_a_planted_regression_is_stopped_and_its_repair_passes(
    trained, toy_files, toy_config, tmp_path, rng, spoil
):
    spoilt = write_examples(tmp_path / "spoilt.jsonl", spoil(read_jsonl(toy_files["train"])))
    # No validation rows: nothing but the labels tells the two trainings apart, and nothing warns.
    (tmp_path / "none.jsonl").touch()
    bad = tmp_path / "bad"
    train(spoilt, tmp_path / "none.jsonl", bad, replace(toy_config, max_epochs=6), Silent())
    down, _ = evaluate(bad, toy_files["test"], rng=rng, champion=trained)
    assert down["comparison"]["outcome"] == "worse"
    up, _ = evaluate(trained, toy_files["test"], rng=rng, champion=bad)
    assert up["comparison"]["outcome"] == "better"


def test_calibrated_probabilities_are_those_that_predict_would_give(trained, toy_files, tmp_path):
    assert main([f"--model={trained}", f"--out={tmp_path / 'out'}", f"--test={toy_files['test']}"]) == 0
    table = pq.read_table(tmp_path / "out" / "test_probabilities.parquet")
    texts = [example.text for example in read_jsonl(toy_files["test"])]
    expected = Scorer.load(trained).probabilities(texts)
    np.testing.assert_allclose(table["p_violation"].to_numpy(), expected[:, 2], atol=1e-5)
    report = report_of(tmp_path / "out")
    assert report["uncalibrated"]["ece"] != report["metrics"]["ece"]


def test_the_card_shows_figures_and_plots(trained, toy_files, tmp_path):
    out = tmp_path / "out"
    files = [f"--test={toy_files['test']}", f"--train={toy_files['train']}", f"--champion={trained}"]
    assert main([f"--model={trained}", f"--out={out}", *files]) == 0
    card, found = (out / "README.md").read_text(encoding="utf-8"), report_of(out)["metrics"]
    assert "Its confidences are calibrated on 60 validation posts." in card
    low, high = found["intervals"]["violation_pr_auc"]
    row = f"| area under precision and recall of violation | {found['violation_pr_auc']:.3f} [{low:.3f}, {high:.3f}] |"
    assert row in card
    assert "Undecided." in card
    behaviour = json.loads((out / "behaviour.json").read_text(encoding="utf-8"))
    assert behaviour["passed"] == behaviour["champion_passed"]  # it is its own rival
    assert "## Behaviour on written cases" in card
    assert all(kind["titles"]["en"] in card for kind in behaviour["kinds"])
    for plot in ("confusion", "reliability", "loss"):
        assert f"({plot}.png)" in card
        assert (out / f"{plot}.png").read_bytes().startswith(b"\x89PNG")


def test_baseline_and_comparison_are_only_there_when_asked_for(trained, toy_files, tmp_path):
    progress = tmp_path / "progress.jsonl"
    arguments = [f"--model={trained}", f"--test={toy_files['test']}", f"--out={tmp_path / 'out'}"]
    assert main([*arguments, f"--progress={progress}"]) == 0
    parts = {"rows", "test_sha256", "metrics", "uncalibrated", "warnings", "evidence"}
    assert report_of(tmp_path / "out").keys() == parts
    last = json.loads(progress.read_text(encoding="utf-8").splitlines()[-1])
    assert last["step"] == last["steps"]


def test_an_empty_test_file_is_reported_as_such(trained, toy_files, tmp_path):
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    files = [f"--test={empty}", f"--train={toy_files['train']}", f"--champion={trained}"]
    assert main([f"--model={trained}", f"--out={tmp_path / 'out'}", *files]) == 0
    report = report_of(tmp_path / "out")
    assert report["metrics"] is None
    assert report["warnings"] == [Message("no test rows: nothing could be measured").to_dict()]
    assert pq.read_table(tmp_path / "out" / "test_probabilities.parquet").num_rows == 0


def test_what_was_judged_out_of_fold_comes_into_the_report(trained, tmp_path, rng):
    adapter = copy_of(trained, tmp_path)
    judged = Evidence(90, 30, None, Gain(0.9, 0.2, (0.6, 0.8)))
    save_judged(adapter, judged)
    (tmp_path / "empty.jsonl").touch()
    report, _ = evaluate(adapter, tmp_path / "empty.jsonl", rng=rng)
    assert report["evidence"] == {"test": None, "out_of_fold": judged.to_dict()}


def test_a_refused_adapter_leaves_no_report(toy_files, tmp_path, capsys):
    arguments = [f"--model={tmp_path / 'gone'}", f"--test={toy_files['test']}", f"--out={tmp_path / 'out'}"]
    assert main(arguments) == 1
    assert "no such adapter folder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_measures_load_without_torch():
    code = "import sys, trainer.evaluate; print(bool({'torch', 'transformers', 'datasets'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_file_that_was_learnt_is_named_when_it_measures(trained, toy_files, rng):
    report, _ = evaluate(trained, toy_files["validation"], rng=rng)
    assert "this very test file" in str(Message.from_dict(report["warnings"][0]))


def test_training_rows_that_are_tested_are_left_out_of_the_baseline(trained, toy_files, tmp_path, rng):
    test = toy_files["test"].read_text(encoding="utf-8")
    both = tmp_path / "both.jsonl"
    both.write_text(toy_files["train"].read_text(encoding="utf-8") + test, encoding="utf-8")
    report, _ = evaluate(trained, toy_files["test"], rng=rng, train=both)
    (warning,) = map(Message.from_dict, report["warnings"])
    assert "the linear baseline is trained without them" in str(warning)
    assert warning.values["count"] >= 90
    with pytest.raises(DatasetError, match="nothing is left to train on"):
        evaluate(trained, toy_files["test"], rng=rng, train=toy_files["test"])


def test_test_rows_of_one_label_are_said_to_measure_little(trained, tmp_path, rng):
    file = write_examples(tmp_path / "one.jsonl", toy_examples(30, 9, ["normal"]))
    report, _ = evaluate(trained, file, rng=rng)
    assert "all test rows are labelled normal" in str(Message.from_dict(report["warnings"][0]))
