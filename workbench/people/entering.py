"""Coming in with a password, and changing one's own."""

from datetime import timedelta
from threading import Lock

from sqlalchemy import func, select

from db.tables import AuditEntry, Person
from workbench.accounts import COMMAND_LINE, Account, Right, acting
from workbench.audit import record
from workbench.errors import NotAllowedError
from workbench.people import sessions
from workbench.people.members import named, withdraw_links
from workbench.people.passwords import hash_password, is_password
from workbench.people.sessions import SignedIn, Visitor
from workbench.project import Project

MOST_WRONG, WRONG_WITHIN = 5, timedelta(minutes=15)
_one_change = Lock()
"""Old passwords are looked at one by one, so that guesses at the same time are counted before the next is tried."""


def sign_in(project: Project, name: str, password: str, visitor: Visitor) -> tuple[Account, str]:
    """The account and the token of its new session. Raises NotAllowedError, recorded, and says not what was wrong."""
    if not project.settings.password_sign_in:
        record_refusal(project, None, visitor)
        raise NotAllowedError("Here people come in by their organisation's sign-in, not with a password.")
    with project.database.read() as session:
        person = named(session, name)
    is_right = is_password(password, person.password_hash if person else None)
    if person is not None and is_right:
        with project.database.write() as session:
            current = session.get_one(Person, person.id)
            # Between reading and writing the password may have changed, or the person been disabled.
            if current.is_active and current.password_hash == person.password_hash:
                token = sessions.begin(session, project, current, "password", visitor)
                return Account(current.id, current.name, current.role), token
    record_refusal(project, person, visitor)
    raise NotAllowedError("Name or password is wrong. A lead can make a link for a new password.")


def sign_in_as_demo(project: Project, person_id: int, visitor: Visitor) -> str:
    """Without a password, in the demo alone. Raises NotAllowedError."""
    with project.database.write() as session:
        person = session.get(Person, person_id) if project.demo_mark.exists() else None
        if person is None or not person.is_active or person.name == COMMAND_LINE:
            raise NotAllowedError("That person is not in the demo.")
        return sessions.begin(session, project, person, "demo", visitor)


def change_password(project: Project, visitor: SignedIn, old: str, new: str) -> None:
    """Ends the person's other sessions. Raises NotAllowedError for a wrong old password, InputError for a weak new one."""
    account = visitor.account
    with _one_change:
        with project.database.read() as session:
            sessions.refuse_ended(session, visitor)
            stored = session.get_one(Person, account.id).password_hash
        if not is_password(old, stored):
            record_wrong_password(project, visitor)
            raise NotAllowedError("The old password is wrong.")
    password_hash = hash_password(new, account.name)
    with acting(project, account, Right.LABEL) as session:
        sessions.refuse_ended(session, visitor)
        person = session.get_one(Person, account.id)
        if person.password_hash != stored:  # by a link, or in another page, in the meantime
            raise NotAllowedError("The old password is wrong.")
        person.password_hash = password_hash
        withdraw_links(session, project, account.id)
        sessions.end(session, project, account.id, but=visitor.session_id)
        record(session, project, account.id, "change password", account.name)


def record_refusal(project: Project, person: Person | None, visitor: Visitor) -> None:
    """An unknown name may be a password in the wrong field, so it is not recorded."""
    subject = "unknown name" if person is None else person.name
    with project.database.write() as session:
        person_id = person.id if person else None
        record(session, project, person_id, "sign in refused", subject, client=visitor.client)


def record_slowed(project: Project, count: int, visitor: Visitor) -> None:
    """Tries that had to wait, together: guessing must not fill the audit. `visitor` made the last one."""
    with project.database.write() as session:
        record(session, project, None, "sign in slowed", "tries", count=count, client=visitor.client)


def record_wrong_password(project: Project, visitor: SignedIn) -> None:
    """Some in a short time end the session: it may be in other hands, which guess."""
    account, since = visitor.account, project.now() - WRONG_WITHIN
    with project.database.write() as session:
        record(session, project, account.id, "password change refused", account.name)
        wrong = select(func.count()).where(
            AuditEntry.at >= since,
            AuditEntry.person_id == account.id,
            AuditEntry.action == "password change refused",
        )
        if session.scalars(wrong).one() >= MOST_WRONG:
            sessions.end(session, project, account.id, only=visitor.session_id)
            record(session, project, account.id, "end session", account.name)
