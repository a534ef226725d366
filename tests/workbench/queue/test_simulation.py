"""`workbench simulate`: the queue of the settings, in its own process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.encoders import make_tiny_encoder
from tests.trainer.toy import toy_examples
from tests.workbench.making import add_policy
from trainer.running import children
from trainer.running.children import Child
from trainer.selection.lanes import Band
from workbench.accounts import Account
from workbench.cli import app
from workbench.project import Project
from workbench.queue import simulation


@pytest.mark.ci
def test_the_command_simulates_the_queue_of_the_settings(tmp_path: Path) -> None:
    base = make_tiny_encoder(tmp_path / "base")
    for name, seed, count in (("pool", 0, 90), ("test", 1, 45)):
        lines = [f"{row.id}\t{row.text}\t{row.label}" for row in toy_examples(count, seed)]
        (tmp_path / f"{name}.tsv").write_text("\n".join(["id\ttext\tlabel", *lines]), encoding="utf-8")
    (tmp_path / "workbench.toml").write_text(
        f'base_model = "{base}"\nuncertain_share = 1\nrandom_share = 0\nviolation_share = 0\n',
        encoding="utf-8",
    )
    options = [
        "--budget",
        "40",
        "--batch",
        "10",
        "--seeds",
        "1",
        "--learner",
        "frozen",
        "--json",
        "--no-full",
    ]
    files = ["--pool", "pool.tsv", "--test", "test.tsv", "--strategy", "default"]
    command = [sys.executable, "-P", "-m", "workbench.cli", "simulate", *files, *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["strategies"]) == {"default"}
    made_of = json.loads((tmp_path / "simulation" / "simulation.json").read_text(encoding="utf-8"))
    assert made_of["composition"]["random"] == 0


def test_a_projects_band_in_force_is_simulated(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert simulation.queue_of(project.home)[1] == project.settings.band
    add_policy(project, lead, band_low=0.35, band_high=0.92)
    ran: list[list[str]] = []

    def start(command: list[str]) -> Child:
        ran.append(command)
        return children.start([sys.executable, "-c", ""])

    monkeypatch.setattr(simulation, "start", start)
    assert simulation.simulate(*simulation.queue_of(project.home), []) == 0
    (command,) = ran
    assert json.loads(command[command.index("--band") + 1]) == {"low": 0.35, "high": 0.92}


def test_the_command_ends_as_its_process_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is printed by that process (`tests/trainer/test_simulate.py`)."""
    refusing = [sys.executable, "-c", "raise SystemExit(1)"]
    monkeypatch.setattr(simulation, "start", lambda _command: children.start(refusing))
    arguments = ["simulate", "--pool", "p.tsv", "--test", "t.tsv", "--home", str(tmp_path)]
    assert CliRunner().invoke(app, arguments).exit_code == 1


def test_a_folder_that_is_no_project_is_simulated_by_its_settings(tmp_path: Path) -> None:
    (tmp_path / "workbench.toml").write_text("band_low = 0.45\nband_high = 0.7\n", encoding="utf-8")
    assert simulation.queue_of(tmp_path)[1] == Band(0.45, 0.7)
