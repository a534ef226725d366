"""Accounts and their rights, which every use case checks on every call. `people` makes and changes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import get_args

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from db.tables import Person
from workbench.audit import record
from workbench.errors import NotAllowedError
from workbench.names import name_key
from workbench.organisation import Role
from workbench.project import Project

ROLES: tuple[str, ...] = get_args(Role)
"""Each has the rights of those before it."""
COMMAND_LINE = "command line"
COMMAND_LINE_ID = 0
"""In projects from before there were passwords it has another number."""

# Built once and read without ORM objects: it runs at every key press.
_PERSON = select(Person.name, Person.role, Person.is_active).where(Person.id == bindparam("person_id"))


class Right(StrEnum):
    LABEL = "label"
    IMPORT = "import"
    RUN_ROUNDS = "run rounds"
    EXPORT = "export"
    REVIEW = "review"
    SET_GUIDELINES = "set the guidelines"
    SET_POLICY = "set thresholds"
    SET_WATCH_LIST = "set the watch list"
    PURGE = "purge"
    MANAGE_PEOPLE = "manage people"
    """Only those of lower roles, except for admins."""
    READ_AUDIT = "read the audit"


RIGHTS: dict[str, frozenset[Right]] = {
    "annotator": frozenset({Right.LABEL}),
    "reviewer": frozenset({Right.LABEL, Right.REVIEW}),
    "lead": frozenset(Right) - {Right.READ_AUDIT},
    "admin": frozenset(Right),
}


@dataclass(frozen=True)
class Account:
    id: int
    name: str
    role: str

    def may(self, right: Right) -> bool:
        return right in RIGHTS[self.role]

    def manages(self, role: str) -> bool:
        """Whether this account may invite, change and disable people of that role."""
        is_higher = ROLES.index(self.role) > ROLES.index(role)
        return self.may(Right.MANAGE_PEOPLE) and (is_higher or self.role == ROLES[-1])


def command_line(project: Project) -> Account:
    """The account of commands on this machine, which have every right: their user can read and write all files."""
    with project.database.write() as session:
        person = session.scalar(select(Person).where(Person.name == COMMAND_LINE))
        if person is None:
            person = Person(
                id=COMMAND_LINE_ID,
                name=COMMAND_LINE,
                name_key=name_key(COMMAND_LINE),
                role=ROLES[-1],
                created_at=project.now(),
            )
            session.add(person)
            session.flush()
            record(session, project, person.id, "new person", COMMAND_LINE, role=ROLES[-1])
        person.role = ROLES[-1]  # older versions made it a lead
        return Account(person.id, person.name, person.role)


@contextmanager
def acting(project: Project, account: Account, right: Right) -> Iterator[Session]:
    """A write transaction that begins by checking the right in the database, not in the page or cookie.

    Raises NotAllowedError and records the refusal, also one that the block raises: what it wrote is rolled back.
    `reading` is for reads.
    """
    try:
        with project.database.write() as session:
            refusal = _refusal(session, account, right)
            if refusal is not None:
                raise refusal
            yield session
    except NotAllowedError:
        with project.database.write() as session:
            record(session, project, account.id, "refused", right)
        raise


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


def _refusal(session: Session, account: Account, right: Right) -> NotAllowedError | None:
    person = session.connection().execute(_PERSON, {"person_id": account.id}).one_or_none()
    if person is None or not person.is_active:
        return NotAllowedError("You are signed out. Sign in again.")
    if right not in RIGHTS[person.role]:
        return NotAllowedError("{name} may not do this ({right}). Ask a lead.", name=person.name, right=right)
    return None
