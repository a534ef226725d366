"""Export of a round's adapter merged into its base, by the real trainer in a child process."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from db.tables import AuditEntry
from tests.encoders import make_tiny_encoder
from tests.made_once import made_once
from tests.trainer.toy import toy_examples, write_examples
from tests.workbench.making import add_round
from trainer.config import TrainConfig
from trainer.merge import served_probabilities
from trainer.running.progress import Silent
from trainer.scoring.scorer import Scorer
from trainer.train import train
from workbench.accounts import Account
from workbench.audit import number_of
from workbench.cli import app
from workbench.commands.training.rounds import round_export
from workbench.errors import InputError, NotAllowedError, RoundError
from workbench.project import Project
from workbench.rounds import merged_export
from workbench.rounds.merged_export import export_merged

TEXTS = ["天气真好", "加微信低价", "去死"]


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_once(tmp_path_factory, "adapter-to-merge", _train) / "round"


def _train(folder: Path) -> None:
    base = make_tiny_encoder(folder / "base")
    config = TrainConfig(base=str(base), max_epochs=1, min_steps=1, max_length=32, calibration_folds=0)
    rows = [write_examples(folder / f"{size}.jsonl", toy_examples(size, size)) for size in (60, 30)]
    train(rows[0], rows[1], folder / "round", config, Silent())


@pytest.fixture
def trained_round(project: Project, lead: Account, adapter: Path) -> Project:
    shutil.copytree(adapter, project.round_folder(1))
    add_round(project, lead, state="awaiting")
    return project


def test_the_merged_folder_says_what_the_adapter_says(
    trained_round: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    round_export(1, tmp_path / "served", trained_round.home, as_json=True)
    assert json.loads(capsys.readouterr().out)["folder"] == str(tmp_path / "served")
    expected = Scorer.load(trained_round.round_folder(1), device="cpu").probabilities(TEXTS)
    receipt = json.loads((tmp_path / "served" / "receipt.json").read_text(encoding="utf-8"))
    assert (receipt["round"], receipt["onnx"], receipt["by"]) == (1, False, "command line")
    assert number_of(receipt["audit_head"])
    assert np.abs(served_probabilities(tmp_path / "served", TEXTS) - expected).max() < 1e-4
    with trained_round.database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "export adapter")).one()
    assert (entry.subject, entry.detail) == ("round 1", {"onnx": False})


@pytest.mark.parametrize("more", [(), ("--merged",)])
def test_a_round_is_exported_merged_whether_or_not_it_is_said(
    project: Project, tmp_path: Path, more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_export, "export_merged", lambda *_args, is_onnx: f"done, onnx {is_onnx}")
    arguments = [
        "round",
        "export",
        "1",
        "--home",
        str(project.home),
        "--out",
        str(tmp_path / "served"),
        *more,
    ]
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.output) == (0, "done, onnx False\n")


def test_the_reason_of_a_failed_process_is_passed_on(
    trained_round: Project, lead: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = [sys.executable, "-c", "raise SystemExit('no room')"]
    monkeypatch.setattr(merged_export, "module_command", lambda *_arguments: failing)
    with pytest.raises(RoundError, match=r"Round 1 was not exported: .*no room"):
        export_merged(trained_round, lead, 1, tmp_path / "served")
    with trained_round.database.read() as session:
        assert session.scalars(select(AuditEntry).where(AuditEntry.action == "export adapter")).all() == []


@pytest.mark.ci
def test_a_damaged_adapter_is_told_in_one_sentence(
    trained_round: Project, lead: Account, tmp_path: Path
) -> None:
    weights = trained_round.round_folder(1) / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(RoundError, match=r"Round 1 was not exported: .*truncated or changed since written"):
        export_merged(trained_round, lead, 1, tmp_path / "served")
    assert not (tmp_path / "served").exists()


def test_what_cannot_be_exported_is_refused_before_any_work(
    trained_round: Project, lead: Account, ann: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merged_export, "start", lambda *_args, **_more: pytest.fail("no child is wanted"))
    add_round(trained_round, lead, 2, state="awaiting")
    out = tmp_path / "served"
    with pytest.raises(NotAllowedError):
        export_merged(trained_round, ann, 1, out)
    with pytest.raises(RoundError, match="no round 7"):
        export_merged(trained_round, lead, 7, out)
    with pytest.raises(RoundError, match="Round 2 has no adapter"):
        export_merged(trained_round, lead, 2, out)
    with pytest.raises(InputError, match="already exists"):
        export_merged(trained_round, lead, 1, tmp_path)
