"""Permissions are checked in the database on every call, and refusals are recorded."""

import pytest
from sqlalchemy import select

from db.tables import AuditEntry, Person
from tests.workbench.plans import plans_of
from workbench import accounts
from workbench.accounts import Account, Right
from workbench.errors import InputError, NotAllowedError
from workbench.project import Project


@pytest.mark.parametrize(
    ("role", "right", "is_allowed"),
    [("lead", right, True) for right in Right]
    + [("annotator", right, right is Right.LABEL) for right in Right],
)
def test_the_matrix_of_roles_and_rights(project: Project, role: str, right: Right, is_allowed: bool) -> None:
    account = accounts.sign_in(project, "某人", role)
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


def test_the_same_name_is_the_same_person(project: Project, ann: Account) -> None:
    assert accounts.sign_in(project, "  Ann ", "annotator") == ann
    assert accounts.find_signed_in(project, ann.id, "token") == ann


@pytest.mark.parametrize("name", ["", "   ", "x" * 41, "a\x00b", "command line"])
def test_a_name_that_is_none_is_refused(project: Project, name: str) -> None:
    with pytest.raises(InputError):
        accounts.sign_in(project, name, "annotator")


def test_a_disabled_person_cannot_come_in(project: Project, ann: Account) -> None:
    with project.database.write() as session:
        session.get_one(Person, ann.id).is_active = False
    assert accounts.find_signed_in(project, ann.id, "token") is None
    with pytest.raises(NotAllowedError, match="disabled"):
        accounts.sign_in(project, "Ann", "annotator")


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


def test_whether_a_session_has_ended_is_asked_of_an_index(project: Project, lead: Account) -> None:
    asked = {"person_id": lead.id, "token": "some token"}
    (plan,) = plans_of(
        project, lambda session: session.connection().execute(accounts._SIGNED_IN, asked).one_or_none()
    )
    assert any("ix_audit_entry_signed_out (subject=?)" in step for step in plan), plan
    assert not any(step.startswith("SCAN") for step in plan), plan
