"""`workbench users`."""

import re

import pytest
from typer.testing import CliRunner, Result

from workbench import accounts
from workbench.cli import app
from workbench.errors import InputError
from workbench.people import invitations, members
from workbench.project import Project


def run(project: Project, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["users", *arguments, "--home", str(project.home)])


def test_the_first_lead_is_added_with_a_link(project: Project) -> None:
    result = run(project, "add", "林静怡", "--role", "lead")
    address = re.search(r"http://127\.0\.0\.1:8501/join/(\S+)", result.output)
    assert address is not None, result.output
    # By the clock of the command, which is a real one.
    assert invitations.offer_of(project, address[1]).name == "林静怡"


def test_people_are_listed_disabled_and_given_roles(project: Project) -> None:
    run(project, "add", "Ann")
    for arguments in (["role", "Ann", "reviewer"], ["disable", "ann"]):
        assert run(project, *arguments).exit_code == 0
    assert re.search(r"Ann +reviewer +disabled +never", run(project, "list").output)
    run(project, "enable", "Ann")
    (person,) = members.listing(project, accounts.command_line(project))
    assert person.is_active


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["add", "命令行"], "That name is taken"),
        (["add", "Ann", "--role", "boss"], "Choose a role"),
        (["link", "Zoe"], "There is no Zoe"),
    ],
)
def test_a_mistake_is_one_clear_sentence(project: Project, arguments: list[str], why: str) -> None:
    error = run(project, *arguments).exception
    assert isinstance(error, InputError)
    assert why in str(error)


def test_a_link_has_a_limit(project: Project) -> None:
    error = run(project, "add", "Ann", "--days", "99").exception
    assert "Choose 1 to 30 days" in str(error)


def test_an_identity_is_linked_once_and_unlinked(project: Project) -> None:
    run(project, "add", "Ann")
    run(project, "add", "Ben")
    assert "can come in by that identity" in run(project, "link-identity", "Ann", "u-1").output
    assert re.search(r"Ann +annotator +by the organisation", run(project, "list").output)
    error = run(project, "link-identity", "Ben", "u-1").exception
    assert "linked to Ann already" in str(error)
    assert "Ann: 1 removed." in run(project, "unlink-identities", "Ann").output
    assert run(project, "link-identity", "Ben", "u-1").exit_code == 0
