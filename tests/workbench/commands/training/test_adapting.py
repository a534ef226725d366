"""`workbench adapt` at the terminal."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.workbench.making import add_adaptation
from tests.workbench.worker.fake_trainer import NO_BERT
from tests.workbench.working import fake_worker_of
from workbench import services
from workbench.accounts import Account
from workbench.adapting import lifecycle
from workbench.cli import app
from workbench.errors import InputError, RoundError, WorkbenchError
from workbench.project import Project

ROOT = Path(__file__).parents[4]


@pytest.fixture(autouse=True)
def few_posts_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "FEWEST_POSTS", 100)


@pytest.fixture
def with_worker(labelled: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    command = fake_worker_of(labelled)[:-1]
    monkeypatch.setattr(services, "worker_command", lambda _home: command)
    monkeypatch.chdir(ROOT)
    return labelled


def test_it_waits_with_a_worker_of_its_own_and_shows_the_result(with_worker: Project) -> None:
    done = CliRunner().invoke(app, ["adapt", "--wait", "--json", "--home", str(with_worker.home)])
    assert done.exit_code == 0, done.output
    assert "this command runs one until the adaptation has ended" in done.stderr
    facts = json.loads(done.stdout)
    assert (facts["state"], facts["in_use"]) == ("done", True)
    assert facts["facts"]["loss_after"] < facts["facts"]["loss_before"]
    off = CliRunner().invoke(app, ["adapt", "--off", "--home", str(with_worker.home)])
    assert "the next round trains on the original encoder" in " ".join(off.output.split())


def test_a_failure_ends_the_waiting_with_its_reason(
    with_worker: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_BASE_MODEL", NO_BERT)
    done = CliRunner().invoke(app, ["adapt", "--wait", "--home", str(with_worker.home)])
    assert isinstance(done.exception, WorkbenchError)
    assert str(done.exception) == "Adaptation 1: Adapting failed: no-bert: has a decoder"


def test_without_a_worker_it_is_queued_and_can_be_cancelled(labelled: Project) -> None:
    home = ["--home", str(labelled.home)]
    queued = CliRunner().invoke(app, ["adapt", "--minutes", "3", *home])
    assert "Adaptation 1 is queued." in queued.output
    assert "No worker is running" in queued.stderr
    assert "Adaptation 1 is cancelled." in CliRunner().invoke(app, ["adapt", "--cancel", *home]).output


def test_off_without_an_adapted_encoder_and_two_wishes_at_once(labelled: Project, boss: Account) -> None:
    home = ["--home", str(labelled.home)]
    assert isinstance(CliRunner().invoke(app, ["adapt", "--off", *home]).exception, RoundError)
    add_adaptation(labelled, boss)
    both = CliRunner().invoke(app, ["adapt", "--off", "--cancel", *home])
    assert isinstance(both.exception, InputError)
