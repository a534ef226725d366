"""What a lead decides, by command."""

import json

import pytest
from typer.testing import CliRunner, Result

from tests.workbench.making import ready_queue
from workbench import labelling
from workbench.accounts import Account
from workbench.cli import app
from workbench.errors import LabellingError
from workbench.project import Project


def run(project: Project, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--home", str(project.home)])


@pytest.fixture
def asked(project: Project, lead: Account, ann: Account) -> str:
    ready_queue(project, lead)
    card = labelling.hold_posts(project, ann)[0]
    labelling.ask_lead(project, ann, card.post_id, note="advert?")
    return card.external_id


def cases(project: Project) -> list[str]:
    listed = json.loads(run(project, "review", "--json").stdout)["cases"]
    return [case["external_id"] for case in listed]


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
    assert run(project, "resolve", asked).exit_code == 2
    assert run(project, "resolve", asked, "normal", "--undo").exit_code == 2
