"""Permissions are checked in the database on every call, and refusals are recorded."""

import pytest
from sqlalchemy import select

from db.tables import AuditEntry, Person
from tests.workbench.team import member
from workbench import accounts
from workbench.accounts import ROLES, Account, Right
from workbench.errors import NotAllowedError
from workbench.project import Project

MATRIX = {
    "annotator": {Right.LABEL},
    "reviewer": {Right.LABEL, Right.REVIEW},
    "lead": set(Right) - {Right.READ_AUDIT},
    "admin": set(Right),
}


@pytest.mark.parametrize(
    ("role", "right", "is_allowed"),
    [(role, right, right in MATRIX[role]) for role in ROLES for right in Right],
)
def test_the_matrix_of_roles_and_rights(project: Project, role: str, right: Right, is_allowed: bool) -> None:
    account = member(project, "某人", role)
    assert account.may(right) is is_allowed
    if is_allowed:
        with accounts.acting(project, account, right):
            return
    with (
        pytest.raises(NotAllowedError, match="某人 may not do this"),
        accounts.acting(project, account, right),
    ):
        pytest.fail("the block must not run")
    with project.database.read() as session:
        assert session.scalar(select(AuditEntry.subject).where(AuditEntry.action == "refused")) == right


def test_the_role_in_the_database_counts_not_the_one_in_hand(project: Project, lead: Account) -> None:
    with project.database.write() as session:
        session.get_one(Person, lead.id).role = "annotator"
    with pytest.raises(NotAllowedError), accounts.acting(project, lead, Right.RUN_ROUNDS):
        pytest.fail("the block must not run")


def test_reading_asks_the_database_for_the_right_and_waits_for_no_writer(
    project: Project, ann: Account, lead: Account
) -> None:
    with project.database.write(), accounts.reading(project, lead, Right.REVIEW) as session:
        assert session.get_one(Person, lead.id).name == lead.name
    forged = Account(ann.id, ann.name, "lead")
    with pytest.raises(NotAllowedError), accounts.reading(project, forged, Right.REVIEW):
        pass
    with project.database.read() as session:
        assert session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "refused")).all() == [
            "review"
        ]


@pytest.mark.parametrize(
    ("role", "managed"),
    [
        ("annotator", set()),
        ("reviewer", set()),
        ("lead", {"annotator", "reviewer"}),
        ("admin", set(ROLES)),
    ],
)
def test_people_manage_lower_roles_and_admins_all(role: str, managed: set[str]) -> None:
    assert {other for other in ROLES if Account(1, "Ann", role).manages(other)} == managed


def test_commands_have_every_right_also_in_projects_from_before_there_were_admins(project: Project) -> None:
    account = accounts.command_line(project)
    with project.database.write() as session:
        session.get_one(Person, account.id).role = "lead"
    assert accounts.command_line(project) == Account(account.id, accounts.COMMAND_LINE, "admin")
