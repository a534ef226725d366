"""Coming in by a sign-in service of the organisation, which states who a user is and in which groups.

A person is found by issuer and subject, never by a name: a name that is already in use here is not taken over, and a
lead links the two.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.tables import Identity, Person
from workbench.accounts import ROLES, Account, Right, acting
from workbench.audit import record
from workbench.errors import InputError, NotAllowedError
from workbench.names import LONGEST_NAME
from workbench.people import sessions
from workbench.people.members import let_go, managed, new_person
from workbench.people.sessions import Visitor
from workbench.project import Project
from workbench.settings import Settings

PROXY = "proxy"
"""The issuer of what a proxy states, and how its sessions began."""
LONGEST_SUBJECT = 255
"""Characters, as OpenID Connect has it."""


@dataclass(frozen=True)
class Statement:
    """What a sign-in service says of a user. `groups` is None where it states none: roles are then given here."""

    issuer: str
    subject: str
    name: str
    groups: frozenset[str] | None


@dataclass(frozen=True)
class _Refusal:
    why: str
    """As the audit has it."""
    error: NotAllowedError


def sign_in(project: Project, statement: Statement, means: str, visitor: Visitor) -> str:
    """The token of a new session, of a new person if the identity is unknown.

    Raises NotAllowedError, recorded.
    """
    with project.database.write() as session:
        person = _identified(session, statement.issuer, statement.subject)
        admitted = _admit(session, project, person, statement, means)
        if isinstance(admitted, Person):
            return sessions.begin(session, project, admitted, means, visitor)
        if person is not None:  # a group that they have lost ends what it had opened
            let_go(session, project, person)
        record(
            session,
            project,
            None if person is None else person.id,
            "sign in refused",
            statement.name[:LONGEST_NAME] if person is None else person.name,
            client=visitor.client,
            means=means,
            identity=statement.subject,
            why=admitted.why,
        )
    raise admitted.error


def is_of(project: Project, account: Account, statement: Statement) -> bool:
    """Whether the statement is about this account, in the role that it has."""
    with project.database.read() as session:
        person = _identified(session, statement.issuer, statement.subject)
        if person is None or person.id != account.id:
            return False
    return statement.groups is None or role_of(project.settings, statement.groups) == account.role


def record_bad_token(project: Project, means: str, visitor: Visitor) -> None:
    with project.database.write() as session:
        record(
            session,
            project,
            None,
            "sign in refused",
            "unknown name",
            client=visitor.client,
            means=means,
            why="bad token",
        )


def role_of(settings: Settings, groups: Collection[str]) -> str | None:
    """The highest role of these groups."""
    roles = (role for group, role in settings.group_roles if group in groups)
    return max(roles, key=ROLES.index, default=None)


def link(project: Project, by: Account, person_id: int, issuer: str, subject: str) -> None:
    """Lets the one whom `issuer` means by `subject` in as this person. Raises InputError and NotAllowedError."""
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        if not 0 < len(subject) <= LONGEST_SUBJECT:
            raise InputError("Give an identity of 1 to {most} characters.", most=LONGEST_SUBJECT)
        person = managed(session, by, person_id)
        linked = _identified(session, issuer, subject)
        if linked is not None:
            raise InputError("That identity is linked to {name} already.", name=linked.name)
        _link(session, project, person, issuer, subject)
        record(session, project, by.id, "link identity", person.name, issuer=issuer, identity=subject)


def unlink(project: Project, by: Account, person_id: int) -> int:
    """Removes all identities of this person and ends their sessions. Returns how many identities there were."""
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        person = managed(session, by, person_id)
        removed = delete(Identity).where(Identity.person_id == person.id)
        count = session.connection().execute(removed).rowcount
        let_go(session, project, person)
        record(session, project, by.id, "unlink identity", person.name, count=count)
        return count


def _admit(
    session: Session, project: Project, person: Person | None, statement: Statement, means: str
) -> Person | _Refusal:
    if person is not None and not person.is_active:
        return _Refusal("disabled", NotAllowedError("{name} is disabled. Ask a lead.", name=person.name))
    if statement.groups is None:
        role = ROLES[0] if person is None else person.role
    elif (highest := role_of(project.settings, statement.groups)) is not None:
        role = highest
    else:
        return _Refusal(
            "no group",
            NotAllowedError("None of your groups has a role here. Ask the operator of the workbench."),
        )
    if person is None:
        return _join(session, project, statement, role, means)
    _change_role(session, project, person, role, means)
    return person


def _join(
    session: Session, project: Project, statement: Statement, role: str, means: str
) -> Person | _Refusal:
    try:
        person = new_person(session, project, statement.name, role)
    except InputError:
        error = NotAllowedError(
            "The name {name} is somebody's here or cannot be used. A lead links you to a person: workbench users"
            " link-identity NAME {subject}",
            name=statement.name[:LONGEST_NAME],
            subject=statement.subject,
        )
        return _Refusal("no name", error)
    _link(session, project, person, statement.issuer, statement.subject)
    record(
        session, project, None, "new person", person.name, role=role, means=means, identity=statement.subject
    )
    return person


def _change_role(session: Session, project: Project, person: Person, role: str, means: str) -> None:
    if person.role != role:
        record(session, project, None, "change role", person.name, was=person.role, now=role, means=means)
        person.role = role
        let_go(session, project, person)


def _identified(session: Session, issuer: str, subject: str) -> Person | None:
    return session.scalar(
        select(Person)
        .join(Identity, Identity.person_id == Person.id)
        .where(Identity.issuer == issuer, Identity.subject == subject)
    )


def _link(session: Session, project: Project, person: Person, issuer: str, subject: str) -> None:
    session.add(Identity(issuer=issuer, subject=subject, person_id=person.id, linked_at=project.now()))
    session.flush()
