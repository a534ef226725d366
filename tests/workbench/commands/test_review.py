"""A lead's decisions by command."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.workbench.making import ready_queue
from workbench.accounts import Account
from workbench.cli import app
from workbench.errors import InputError, LabellingError
from workbench.labelling import answers
from workbench.labelling.guidelines import version_in_force
from workbench.project import Project


def run(project: Project, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--home", str(project.home)])


@pytest.fixture
def asked(project: Project, lead: Account, ann: Account) -> str:
    ready_queue(project, lead)
    card = answers.hold_posts(project, ann)[0]
    answers.ask_lead(project, ann, card.post_id, note="advert?")
    return card.external_id


def cases(project: Project) -> list[str]:
    listed = json.loads(run(project, "review", "--json").stdout)["cases"]
    return [case["external_id"] for case in listed]


def test_without_cases_it_says_so(project: Project) -> None:
    assert run(project, "review").output == "Nothing waits for a decision.\n"


def test_a_case_is_decided_and_taken_back_by_command(project: Project, asked: str) -> None:
    assert cases(project) == [asked]
    assert "Ann" not in run(project, "review").stdout
    assert json.loads(run(project, "resolve", asked, "违规", "--json").stdout) == {
        "post": asked,
        "label": "violation",
    }
    assert cases(project) == []
    assert "is normal from now on" in run(project, "resolve", asked, "normal").stdout
    assert run(project, "resolve", asked, "--undo").exit_code == 0
    assert cases(project) == [asked]


def test_what_cannot_be_decided_is_refused(project: Project, asked: str) -> None:
    for arguments in (["nowhere", "normal"], [asked, "spam"], [asked, "--undo"]):
        assert isinstance(run(project, "resolve", *arguments).exception, LabellingError)
    for arguments in ((asked,), (asked, "normal", "--undo")):
        refused = run(project, "resolve", *arguments)
        assert refused.exit_code == 1
        assert isinstance(refused.exception, InputError)
    assert "is normal" in run(project, "resolve", asked, "normal").stdout
    refused = run(project, "resolve", asked, "violation", "--instead-of", "9999")
    assert isinstance(refused.exception, LabellingError)


def test_guidelines_tell_their_version_to_programs(project: Project, lead: Account, tmp_path: Path) -> None:
    (file := tmp_path / "rules.txt").write_text("no adverts", encoding="utf-8")
    printed = json.loads(run(project, "guidelines", str(file), "--json").stdout)
    with project.database.read() as session:
        assert printed == {"version": version_in_force(session)}
