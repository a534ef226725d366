"""Accounts and their rights, which every use case checks on every call.

A person signs in by name and role, without a password.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam, exists, literal_column, select
from sqlalchemy.orm import Session

from db.tables import AuditEntry, Person
from workbench.audit import record
from workbench.errors import InputError, NotAllowedError
from workbench.project import Project

ROLES = ("annotator", "lead")
COMMAND_LINE = "command line"
LONGEST_NAME = 40


# Built once and read without ORM objects: both run at every key press.
_PERSON = select(Person.name, Person.role, Person.is_active).where(Person.id == bindparam("person_id"))
_SIGNED_IN = _PERSON.where(
    Person.is_active,
    ~exists().where(
        AuditEntry.person_id == Person.id,
        # A literal: with a bound value SQLite does not use the partial index of ended sessions.
        AuditEntry.action == literal_column("'sign out'"),
        AuditEntry.subject == bindparam("token"),
    ),
)


class Right(StrEnum):
    LABEL = "label"
    IMPORT = "import"
    RUN_ROUNDS = "run rounds"
    EXPORT = "export"
    REVIEW = "review"
    SET_POLICY = "set thresholds"
    PURGE = "purge"
    READ_AUDIT = "read the audit"


RIGHTS: dict[str, frozenset[Right]] = {
    "annotator": frozenset({Right.LABEL}),
    "lead": frozenset(Right),
}


@dataclass(frozen=True)
class Account:
    id: int
    name: str
    role: str

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role]


def sign_in(project: Project, name: str, role: str) -> Account:
    """The person of that name in the chosen role, created on the first visit.

    Raises InputError for an invalid name or role, NotAllowedError if the person is disabled.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError("Give a name of 1 to {most} characters.", most=LONGEST_NAME)
    if role not in ROLES:
        raise InputError("Choose a role: annotator or lead.")
    if name == COMMAND_LINE:
        raise InputError("That name is taken. Choose another.")
    account = _enter(project, name, role)
    with project.database.write() as session:
        record(session, project, account.id, "sign in", name, role=role)
    return account


def record_refused_sign_in(project: Project, name: str, client: str) -> None:
    """`client` is the network address. An unknown name may be a mistyped passphrase, so it is not recorded."""
    with project.database.write() as session:
        person = session.scalar(select(Person).where(Person.name == " ".join(name.split())))
        subject = "unknown name" if person is None else person.name
        record(session, project, person.id if person else None, "sign in refused", subject, client=client)


def command_line(project: Project) -> Account:
    # The right to run commands on this machine is that of a lead.
    return _enter(project, COMMAND_LINE, "lead")


def sign_out(project: Project, account: Account, token: str) -> None:
    with project.database.write() as session:
        record(session, project, account.id, "sign out", token)


def find_signed_in(project: Project, person_id: int, token: str) -> Account | None:
    """The person's current account, None if purged or disabled, or if the session of that token was signed out.

    The token identifies the session, so a copied cookie is refused after signing out.
    """
    with project.database.read() as session:
        row = session.connection().execute(_SIGNED_IN, {"person_id": person_id, "token": token}).one_or_none()
    return None if row is None else Account(person_id, row.name, row.role)


@contextmanager
def acting(project: Project, account: Account, right: Right) -> Iterator[Session]:
    """A write transaction that begins by checking the right in the database, not in the page or cookie.

    Raises NotAllowedError and records the refusal. `reading` is for reads.
    """
    with project.database.write() as session:
        refusal = _refusal(session, account, right)
        if refusal is None:
            yield session
            return
        record(session, project, account.id, "refused", right)
    raise refusal


@contextmanager
def reading(project: Project, account: Account, right: Right) -> Iterator[Session]:
    """A read snapshot, on which the right is checked; it never waits for writers.

    Raises NotAllowedError and records the refusal.
    """
    with project.database.read() as session:
        refusal = _refusal(session, account, right)
        if refusal is None:
            yield session
            return
    with project.database.write() as session:
        record(session, project, account.id, "refused", right)
    raise refusal


def check(project: Project, account: Account, right: Right) -> None:
    """Raises NotAllowedError and records the refusal."""
    with reading(project, account, right):
        pass


def _enter(project: Project, name: str, role: str) -> Account:
    with project.database.write() as session:
        person = session.scalar(select(Person).where(Person.name == name))
        if person is None:
            person = Person(name=name, role=role, created_at=project.now())
            session.add(person)
            session.flush()
            record(session, project, person.id, "new person", name, role=role)
        if person.is_active is False:
            raise NotAllowedError("{name} is disabled. Ask a lead.", name=name)
        if person.role != role:
            record(session, project, person.id, "change role", name, was=person.role, now=role)
            person.role = role
        session.flush()
        return Account(person.id, person.name, person.role)


def _refusal(session: Session, account: Account, right: Right) -> NotAllowedError | None:
    person = session.connection().execute(_PERSON, {"person_id": account.id}).one_or_none()
    if person is None or not person.is_active:
        return NotAllowedError("You are signed out. Sign in again.")
    if right not in RIGHTS[person.role]:
        return NotAllowedError("{name} may not do this ({right}). Ask a lead.", name=person.name, right=right)
    return None
