"""The people of a project: who is in it, in which role, and who may still come in."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from db.queries.serving import releases
from db.tables import Identity, Invitation, Person, WebSession
from workbench.accounts import COMMAND_LINE, ROLES, Account, Right, acting, command_line, reading
from workbench.audit import record
from workbench.errors import InputError, NotAllowedError
from workbench.names import clean_name, name_key
from workbench.people import sessions
from workbench.project import Project


@dataclass(frozen=True)
class Member:
    id: int
    name: str
    role: str
    is_active: bool
    has_password: bool
    has_identity: bool
    """Of an organisation's sign-in."""
    seen_at: datetime | None
    """In a browser."""


def listing(project: Project, by: Account) -> list[Member]:
    """Everybody but the command line, by name."""
    seen = select(func.max(WebSession.seen_at)).where(WebSession.person_id == Person.id).scalar_subquery()
    identified = exists().where(Identity.person_id == Person.id)
    with reading(project, by, Right.MANAGE_PEOPLE) as session:
        rows = session.execute(
            select(
                Person.id,
                Person.name,
                Person.role,
                Person.is_active,
                Person.password_hash.is_not(None),
                identified,
                seen,
            )
            .where(Person.name != COMMAND_LINE)
            .order_by(Person.name)
        ).all()
    return [Member(*row) for row in rows]


def managed_by(by: Account, people: Iterable[Member]) -> list[Member]:
    """Whom `by` may change, disable and give links."""
    return [person for person in people if person.id != by.id and by.manages(person.role)]


def demo_people(project: Project) -> list[Member]:
    """Whom a visitor of the demo may be, the highest role first; no one in another project."""
    if not project.demo_mark.exists():
        return []
    people = [person for person in listing(project, command_line(project)) if person.is_active]
    return sorted(people, key=lambda person: -ROLES.index(person.role))


def can_sign_in(project: Project) -> bool:
    """Whether there is a person with a password."""
    with project.database.read() as session:
        some = select(Person.id).where(Person.is_active, Person.password_hash.is_not(None)).limit(1)
        return session.scalar(some) is not None


def add(project: Project, by: Account, name: str, role: str) -> Account:
    """A new person without a password: a link gives them one.

    Raises InputError for an invalid name or role and for a name that looks like a person's.
    """
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        refuse_role(session, by, role)
        person = new_person(session, project, name, role)
        record(session, project, by.id, "new person", person.name, role=role)
        return Account(person.id, person.name, person.role)


def change_role(project: Project, by: Account, person_id: int, role: str) -> None:
    """Ends their sessions and claims. Raises InputError and NotAllowedError."""
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        person = managed(session, by, person_id)
        refuse_role(session, by, role)
        record(session, project, by.id, "change role", person.name, was=person.role, now=role)
        person.role = role
        let_go(session, project, person)


def disable(project: Project, by: Account, person_id: int) -> None:
    """They keep their labels and can no longer come in."""
    _set_active(project, by, person_id, is_active=False)


def enable(project: Project, by: Account, person_id: int) -> None:
    _set_active(project, by, person_id, is_active=True)


def find_member(project: Project, by: Account, name: str) -> Member:
    """By a name that looks like this one. Raises InputError if it is unknown."""
    members = {member.name: member for member in listing(project, by)}
    if name in members:
        return members[name]
    alike = (member for member in members.values() if name_key(member.name) == name_key(name))
    if found := next(alike, None):
        return found
    raise InputError("There is no {name} in this project. `workbench users list` names everybody.", name=name)


def new_person(session: Session, project: Project, name: str, role: str) -> Person:
    """Raises InputError for an invalid name and for one that looks like a person's."""
    name = clean_name(name)
    if session.scalar(select(Person.id).where(Person.name_key == name_key(name))) is not None:
        raise InputError("That name is taken. Choose another.")
    person = Person(name=name, name_key=name_key(name), role=role, created_at=project.now())
    session.add(person)
    session.flush()
    return person


def named(session: Session, name: str) -> Person | None:
    """The person of this name, or of the one that looks like it."""
    name = " ".join(name.split())
    exact = session.scalar(select(Person).where(Person.name == name))
    return exact or session.scalar(select(Person).where(Person.name_key == name_key(name)))


def let_go(session: Session, project: Project, person: Person) -> None:
    """Ends their sessions; others get the posts that they had open at once, not when the claims have run out."""
    sessions.end(session, project, person.id)
    for statement in releases(person.id):
        session.execute(statement)


def withdraw_links(session: Session, project: Project, person_id: int) -> None:
    """Links for a new password of theirs that are still open."""
    session.execute(
        update(Invitation)
        .where(
            Invitation.person_id == person_id,
            Invitation.used_at.is_(None),
            Invitation.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=project.now())
    )


def managed(session: Session, by: Account, person_id: int) -> Person:
    """A person that `by` may manage. Raises InputError and NotAllowedError."""
    person = session.get(Person, person_id)
    if person is None or person.name == COMMAND_LINE:
        raise InputError("That person is not in this project.")
    if person.id == by.id:
        raise InputError("Ask another lead to change your own account.")
    if not _current(session, by).manages(person.role):
        raise NotAllowedError(
            "Ask an administrator: {name} has a role that you do not manage.", name=person.name
        )
    return person


def refuse_role(session: Session, by: Account, role: str) -> None:
    """Raises InputError and NotAllowedError."""
    if role not in ROLES:
        raise InputError("Choose a role: {roles}.", roles=", ".join(ROLES))
    if not _current(session, by).manages(role):
        raise NotAllowedError("Ask an administrator: you do not give that role.")


def _current(session: Session, by: Account) -> Account:
    """With the role that it has now: another administrator may have changed it since the page was drawn."""
    return Account(by.id, by.name, session.get_one(Person, by.id).role)


def _set_active(project: Project, by: Account, person_id: int, *, is_active: bool) -> None:
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        person = managed(session, by, person_id)
        if person.is_active is is_active:
            return
        person.is_active = is_active
        if is_active:
            record(session, project, by.id, "enable person", person.name)
        else:
            record(session, project, by.id, "disable person", person.name)
        withdraw_links(session, project, person.id)
        let_go(session, project, person)
