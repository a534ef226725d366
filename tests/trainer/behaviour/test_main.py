import json
import subprocess
import sys

import pytest

from trainer.behaviour.__main__ import main
from trainer.behaviour.cases import read_cases
from trainer.scoring.scorer import Scorer


@pytest.fixture
def behaviour(trained, capsys):
    def run(*arguments):
        status = main([f"--model={trained}", *arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_a_line_for_each_kind_with_counts_and_without_texts(behaviour):
    status, out, _ = behaviour()
    first, *lines = out.splitlines()
    assert status == 0
    assert first.startswith("written cases labelled as expected: ")
    assert len(lines) == len({case.kind for case in read_cases()})
    assert all(" of 12 " in line for line in lines)


def test_failures_are_the_cases_that_predict_would_label_otherwise(behaviour, trained):
    _, out, _ = behaviour("--failures")
    rows = Scorer.load(trained).probabilities([case.text for case in read_cases()])
    labels = [("normal", "suspicious", "violation")[row.argmax()] for row in rows]
    failed = [case for case, label in zip(read_cases(), labels, strict=True) if label not in case.expected]
    assert failed
    shown = [line for line in out.splitlines() if line.startswith("    ")]
    assert len(shown) == len(failed)


def test_json_holds_everything_with_the_champion(behaviour, trained):
    _, out, _ = behaviour("--json", f"--champion={trained}")
    outcome = json.loads(out)
    assert outcome["passed"] == outcome["champion_passed"]
    assert outcome["cases"] == len(read_cases())


def test_a_missing_adapter_is_one_sentence(tmp_path, capsys):
    assert main([f"--model={tmp_path / 'none'}"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_the_cases_are_read_without_torch():
    code = "import sys, trainer.behaviour.cases, trainer.behaviour.outcome; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
