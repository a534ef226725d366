"""Rounds at the terminal: messages are English sentences there, in JSON too."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from db.tables import Round
from tests.workbench.working import fake_worker_of, round_of
from trainer.messages import Message
from workbench import services
from workbench.accounts import Account
from workbench.cli import app
from workbench.commands import terminal
from workbench.commands.training import waiting
from workbench.errors import RoundError, WorkbenchError
from workbench.locks import WORKER, hold
from workbench.project import Project
from workbench.rounds.lifecycle import is_worker_running

ROOT = Path(__file__).parents[4]
CHANGE = Message(
    "macro-F1 changes by {change} points (95% interval {low} to {high})", change=-3, low=-5, high=-1
)
WARNING = Message("no test rows: nothing could be measured")
SENTENCE = "macro-F1 changes by -3 points (95% interval -5 to -1)"
FAILURE = Message("{step} failed: {reason}", step="Training", reason=Message("{name}: gone", name="x"))


@pytest.fixture
def rejected(project: Project, lead: Account) -> Project:
    verdict = {"decision": "reject", "outcome": "worse"}
    verdict |= {"reasons": [CHANGE.to_dict(), CHANGE.to_dict()], "warnings": [WARNING.to_dict()]}
    with project.database.write() as session:
        session.add(
            Round(
                number=1,
                state="rejected",
                is_running=False,
                is_quick=False,
                base="starter",
                notes=Message.verbatim("{on} Tuesday").to_dict(),
                created_at=project.now(),
                started_by_id=lead.id,
                report={"comparison": {"n": 9, "reasons": [CHANGE.to_dict()]}},
                verdict=verdict,
                decision_reason=Message.joined([CHANGE, CHANGE]).to_dict(),
                failure=FAILURE.to_dict(),
            )
        )
    return project


def run(project: Project, *arguments: str) -> str:
    done = CliRunner().invoke(app, ["round", *arguments, "--home", str(project.home)])
    assert done.exit_code == 0, done.output
    return done.output


def assert_sentences(facts: dict[str, Any]) -> None:
    assert facts["failure"] == "Training failed: x: gone"
    assert facts["notes"] == "{on} Tuesday"
    assert facts["decision_reason"] == f"{SENTENCE}; {SENTENCE}"
    assert facts["comparison"] == {"n": 9, "reasons": [SENTENCE]}
    assert facts["verdict"]["reasons"] == [SENTENCE] * 2
    assert facts["verdict"]["warnings"] == [str(WARNING)]


def test_json_holds_sentences(rejected: Project) -> None:
    assert_sentences(json.loads(run(rejected, "show", "1", "--json")))
    (listed,) = json.loads(run(rejected, "list", "--json"))
    assert_sentences(listed)


def test_a_round_is_shown_with_reasons_warnings_and_failure(
    rejected: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "width", 400)
    lines = [line.strip() for line in run(rejected, "show", "1").splitlines()]
    assert lines[-4:] == [SENTENCE, SENTENCE, str(WARNING), "Training failed: x: gone"]
    assert "Training failed: x: gone" in run(rejected, "list")


def test_waiting_for_a_round_runs_a_worker_where_there_is_none(
    labelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = fake_worker_of(labelled)[:-1]
    monkeypatch.setattr(services, "worker_command", lambda _home: command)
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(
        app, ["round", "start", "--quick", "--wait", "--json", "--home", str(labelled.home)]
    )
    assert done.exit_code == 0, done.output
    assert "this command runs one until the round has ended" in done.stderr
    assert json.loads(done.stdout)["state"] == "promoted"
    assert not is_worker_running(labelled)


def test_a_worker_that_ends_by_itself_ends_the_waiting(
    labelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "worker_command", lambda _home: [sys.executable, "-c", ""])
    done = CliRunner().invoke(app, ["round", "start", "--quick", "--wait", "--home", str(labelled.home)])
    assert isinstance(done.exception, WorkbenchError)
    assert str(done.exception) == "The worker ended by itself; the lines above say why."
    assert round_of(labelled, 1).is_running


def test_a_worker_that_ends_because_another_came_first_ends_nothing(labelled: Project) -> None:
    with hold(labelled.data / WORKER):
        waiting.refuse_end(labelled)
    with pytest.raises(WorkbenchError, match="ended by itself"):
        waiting.refuse_end(labelled)


def test_a_round_that_nothing_works_on_says_how_to_start_a_worker(labelled: Project) -> None:
    assert "No worker is running" in run(labelled, "start", "--quick")


def test_a_worker_that_is_starting_needs_no_such_hint(labelled: Project) -> None:
    with services.launching(labelled):
        assert "No worker is running" not in run(labelled, "start", "--quick")


def test_a_rejected_round_is_put_in_use_with_a_reason_only(rejected: Project) -> None:
    arguments = ["round", "promote", "1", "--home", str(rejected.home)]
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, RoundError)
    assert "write why (at the command line with --reason)" in str(refused.exception)
    assert "Round 1 will be in use" in run(rejected, "promote", "1", "--reason", "the test posts were old")
    with rejected.database.read() as session:
        row = session.get_one(Round, 1)
        assert row.decision_reason == Message.verbatim("the test posts were old").to_dict()


def test_when_rounds_start_by_themselves_is_shown_and_set(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal.out, "width", 40)
    assert run(project, "auto") == "No round starts by itself.\n"
    shown = run(project, "auto", "--after-labels", "1200", "--at", "02:00", "--zone", "Asia/Shanghai")
    line = (
        "A round starts by itself after 1,200 more labels, or at 02:00 (Asia/Shanghai): 0 new labels so far."
    )
    assert shown.splitlines()[0] == line
    assert "No worker is running" in shown
    facts = json.loads(run(project, "auto", "--skip-next", "--json"))
    assert (facts.pop("set_at") or "").startswith("20")
    assert facts == {
        "on": True,
        "after_labels": 1200,
        "at": "02:00",
        "zone": "Asia/Shanghai",
        "new_labels": 0,
        "skips_next": True,
        "set_by": "command line",
        "sentences": [line, "The next one is skipped."],
    }
    assert "skipped" not in run(project, "auto", "--no-skip-next")
    assert "at 03:30" in run(project, "auto", "--at", "3:30")
    assert json.loads(run(project, "auto", "--json"))["after_labels"] is None
    assert run(project, "auto", "--off") == "No round starts by itself.\n"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--at", "25:00"], "25:00 is no time of day. Write it as 02:30."),
        (["--at", "02:00", "--zone", "Mars"], "This machine knows no time zone Mars."),
        (["--skip-next"], "No round starts by itself, so there is none to skip."),
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused_in_one_sentence(
    project: Project, options: list[str], sentence: str
) -> None:
    refused = CliRunner().invoke(app, ["round", "auto", *options, "--home", str(project.home)])
    assert isinstance(refused.exception, WorkbenchError)
    assert str(refused.exception).startswith(sentence)
    assert run(project, "auto") == "No round starts by itself.\n"


@pytest.mark.parametrize(
    "options",
    [["--off", "--at", "02:00"], ["--zone", "UTC"], ["--off", "--skip-next"], ["--after-labels", "0"]],
)
def test_options_that_contradict_each_other_are_wrong_usage(project: Project, options: list[str]) -> None:
    refused = CliRunner().invoke(app, ["round", "auto", *options, "--home", str(project.home)])
    assert refused.exit_code == 2
    assert run(project, "auto") == "No round starts by itself.\n"


def test_a_round_that_started_by_itself_is_listed_as_the_rules(rejected: Project) -> None:
    with rejected.database.write() as session:
        session.get_one(Round, 1).is_automatic = True
    (listed,) = json.loads(run(rejected, "list", "--json"))
    assert (listed["automatic"], listed["started_by"]) == (True, "林")
    assert "the rule of 林" in " ".join(run(rejected, "list").split())
