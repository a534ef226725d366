"""Links that work once: to join the project, or to choose a new password."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from db.tables import Invitation, Person
from workbench.accounts import COMMAND_LINE, Account, Right, acting, reading
from workbench.audit import record
from workbench.errors import InputError, NotAllowedError
from workbench.people import sessions
from workbench.people.members import managed, new_person, refuse_role, withdraw_links
from workbench.people.passwords import hash_password
from workbench.people.sessions import Visitor, digest_of
from workbench.project import Project

DAYS = 7
MOST_DAYS = 30


@dataclass(frozen=True)
class Link:
    secret: str
    """The end of the address; stored nowhere."""
    expires_at: datetime


@dataclass(frozen=True)
class Offer:
    """What a link is for: a role for a new person, or a new password for a person."""

    role: str | None
    name: str | None


@dataclass(frozen=True)
class OpenLink:
    id: int
    role: str | None
    name: str | None
    made_by: str
    expires_at: datetime


def invite(project: Project, by: Account, role: str, days: int = DAYS) -> Link:
    """A link with which one person joins in this role. Raises InputError and NotAllowedError."""
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        refuse_role(session, by, role)
        link = _new_link(session, project, by, days, role=role)
        record(session, project, by.id, "invite", role, days=days)
        return link


def password_link(project: Project, by: Account, person_id: int, days: int = DAYS) -> Link:
    """A link with which this person chooses a password; earlier ones of theirs no longer work."""
    (link,) = password_links(project, by, [person_id], days).values()
    return link


def password_links(
    project: Project, by: Account, person_ids: Collection[int], days: int = DAYS
) -> dict[str, Link]:
    """Such a link for each of these people, by their names."""
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        people = [managed(session, by, person_id) for person_id in person_ids]
        return {person.name: _password_link(session, project, by, person, days) for person in people}


def open_links(project: Project, by: Account) -> list[OpenLink]:
    with reading(project, by, Right.MANAGE_PEOPLE) as session:
        found = session.scalars(_open(project).order_by(Invitation.id.desc())).all()
        name = {person.id: person.name for person in session.scalars(select(Person))}
        return [
            OpenLink(
                row.id,
                row.role,
                None if row.person_id is None else name[row.person_id],
                name[row.made_by_id],
                row.expires_at,
            )
            for row in found
        ]


def withdraw(project: Project, by: Account, link_id: int) -> None:
    """Raises InputError if that link was used, has expired or was withdrawn."""
    with acting(project, by, Right.MANAGE_PEOPLE) as session:
        link = session.scalar(_open(project).where(Invitation.id == link_id))
        if link is None:
            raise _no_link()
        refuse_role(session, by, _role_of(session, link))
        link.withdrawn_at = project.now()
        record(session, project, by.id, "withdraw link", str(link_id))


def offer_of(project: Project, secret: str) -> Offer:
    """Looking does not use a link up. Raises InputError if it does not work."""
    with project.database.read() as session:
        link = _link(session, project, secret)
        name = None if link.person_id is None else session.get_one(Person, link.person_id).name
        return Offer(link.role, name)


def join(project: Project, secret: str, name: str, password: str, visitor: Visitor) -> str:
    """A new person with this name and password. Returns the token of their first session. Raises InputError."""
    offer_of(project, secret)
    password_hash = hash_password(password, name)  # before the write lock: it takes a while
    with project.database.write() as session:
        link = _link(session, project, secret)
        if link.role is None:
            raise _no_link()
        person = new_person(session, project, name, link.role)
        person.password_hash = password_hash
        link.used_at, link.used_by_id = project.now(), person.id
        record(session, project, person.id, "join", person.name, role=link.role, invited_by=link.made_by_id)
        return sessions.begin(session, project, person, "link", visitor)


def choose_password(project: Project, secret: str, password: str, visitor: Visitor) -> str:
    """A new password by a link. Ends the person's sessions; returns the token of a new one.

    Raises InputError, and NotAllowedError if the person is disabled.
    """
    offer = offer_of(project, secret)
    password_hash = hash_password(password, offer.name or "")
    with project.database.write() as session:
        link = _link(session, project, secret)
        if link.person_id is None:
            raise _no_link()
        person = session.get_one(Person, link.person_id)
        if not person.is_active:
            raise NotAllowedError("{name} is disabled. Ask a lead.", name=person.name)
        person.password_hash = password_hash
        link.used_at, link.used_by_id = project.now(), person.id
        sessions.end(session, project, person.id)
        record(session, project, person.id, "choose password", person.name, made_by=link.made_by_id)
        return sessions.begin(session, project, person, "link", visitor)


def _password_link(session: Session, project: Project, by: Account, person: Person, days: int) -> Link:
    withdraw_links(session, project, person.id)
    link = _new_link(session, project, by, days, person_id=person.id)
    record(session, project, by.id, "password link", person.name, days=days)
    return link


def _new_link(
    session: Session,
    project: Project,
    by: Account,
    days: int,
    *,
    role: str | None = None,
    person_id: int | None = None,
) -> Link:
    if not 1 <= days <= MOST_DAYS:
        raise InputError("Choose 1 to {most} days.", most=MOST_DAYS)
    if not project.settings.password_sign_in and by.name != COMMAND_LINE:
        raise NotAllowedError("Here people come in by their organisation's sign-in, not by links.")
    secret, now = secrets.token_urlsafe(24), project.now()
    row = Invitation(
        digest=digest_of(secret),
        role=role,
        person_id=person_id,
        made_by_id=by.id,
        made_at=now,
        expires_at=now + timedelta(days=days),
    )
    session.add(row)
    return Link(secret, row.expires_at)


def _open(project: Project) -> Select[Invitation]:
    return select(Invitation).where(
        Invitation.used_at.is_(None), Invitation.withdrawn_at.is_(None), Invitation.expires_at > project.now()
    )


def _link(session: Session, project: Project, secret: str) -> Invitation:
    """Raises InputError if the link does not work, or if who made it may no longer make it.

    Without passwords only the command line's links work: the operator comes in when the organisation's sign-in fails, and
    a lead cannot let people in whom the organisation keeps out.
    """
    link = session.scalar(_open(project).where(Invitation.digest == digest_of(secret)))
    if link is None:
        raise _no_link()
    maker = session.get_one(Person, link.made_by_id)
    role = _role_of(session, link)
    if not maker.is_active or not Account(maker.id, maker.name, maker.role).manages(role):
        raise _no_link()
    if not project.settings.password_sign_in and maker.name != COMMAND_LINE:
        raise _no_link()
    return link


def _role_of(session: Session, link: Invitation) -> str:
    """Of the person who may use it."""
    return link.role or session.get_one(Person, link.person_id).role


def _no_link() -> InputError:
    return InputError("This link was used, withdrawn or has expired. Ask a lead for a new one.")
