"""People of a test's project, and their sessions."""

from sqlalchemy import select

from db.tables import Person
from workbench import accounts
from workbench.accounts import Account
from workbench.names import name_key
from workbench.people import members, sessions
from workbench.people.passwords import hash_password
from workbench.people.sessions import Visitor
from workbench.project import Project
from workbench.web.identity import cookie_name

PASSWORD = "four words of a horse"
VISITOR = Visitor("192.0.2.7", "a browser")


def member(project: Project, name: str, role: str) -> Account:
    """The person of that name, made where there is none."""
    with project.database.read() as session:
        found = session.scalar(select(Person).where(Person.name_key == name_key(name)))
    if found is not None:
        return Account(found.id, found.name, found.role)
    return members.add(project, accounts.command_line(project), name, role)


def give_password(project: Project, account: Account, password: str = PASSWORD) -> None:
    hashed = hash_password(password, account.name)
    with project.database.write() as session:
        session.get_one(Person, account.id).password_hash = hashed


def token_of(project: Project, account: Account) -> str:
    """Of a new session."""
    with project.database.write() as session:
        return sessions.begin(session, project, session.get_one(Person, account.id), "password", VISITOR)


def cookies_of(project: Project, account: Account, *, is_https: bool = False) -> dict[str, str]:
    return {cookie_name(project, is_https=is_https): token_of(project, account)}
