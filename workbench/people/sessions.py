"""Sessions of browsers: a row each, found by the digest of the token in the cookie.

A session ends when its person or an administrator ends it, with the password, role or account that it was begun with, and
by time: some hours without use, some days in any case.
"""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from db.tables import Person, WebSession
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import record
from workbench.errors import InputError, NotAllowedError
from workbench.project import Project

SEEN_EVERY = timedelta(minutes=5)
"""A session in use is written down as often: every key press reads it."""
LONGEST_BROWSER = 200
"""Characters of a User-Agent."""

# Built once and read without ORM objects.
_SESSION = (
    select(
        WebSession.id,
        WebSession.means,
        WebSession.started_at,
        WebSession.seen_at,
        Person.id.label("person_id"),
        Person.name,
        Person.role,
    )
    .join(Person, Person.id == WebSession.person_id)
    .where(WebSession.digest == bindparam("digest"), WebSession.ended_at.is_(None), Person.is_active)
)


@dataclass(frozen=True)
class Visitor:
    """Where a request comes from, as far as the request itself says."""

    client: str = ""
    """The network address."""
    browser: str = ""


@dataclass(frozen=True)
class SignedIn:
    account: Account
    session_id: int
    means: str
    """How the session began, as in the table."""


@dataclass(frozen=True)
class OpenSession:
    id: int
    means: str
    client: str
    browser: str
    started_at: datetime
    seen_at: datetime


def begin(session: Session, project: Project, person: Person, means: str, visitor: Visitor) -> str:
    """Returns the token, which is stored nowhere."""
    token, now = secrets.token_urlsafe(32), project.now()
    row = WebSession(
        digest=digest_of(token),
        person_id=person.id,
        means=means,
        client=visitor.client,
        browser=visitor.browser[:LONGEST_BROWSER],
        started_at=now,
        seen_at=now,
    )
    session.add(row)
    session.flush()
    record(session, project, person.id, "sign in", person.name, means=means, client=visitor.client)
    return token


def find(project: Project, token: str) -> SignedIn | None:
    """The session of this token and its account as it is now; None if it is not valid any more."""
    with project.database.read() as session:
        row = session.connection().execute(_SESSION, {"digest": digest_of(token)}).one_or_none()
    now = project.now()
    if row is None or not _is_open(project, row.started_at, row.seen_at, now):
        return None
    if now - row.seen_at >= SEEN_EVERY:
        with project.database.write() as session:
            session.execute(update(WebSession).where(WebSession.id == row.id).values(seen_at=now))
    return SignedIn(Account(row.person_id, row.name, row.role), row.id, row.means)


def ended_of(project: Project, ids: Collection[int]) -> set[int]:
    """Which of these sessions are not valid any more."""
    with project.database.read() as session:
        rows = session.execute(
            select(WebSession.id, WebSession.started_at, WebSession.seen_at)
            .join(Person, Person.id == WebSession.person_id)
            .where(WebSession.id.in_(ids), WebSession.ended_at.is_(None), Person.is_active)
        ).all()
    now = project.now()
    return set(ids) - {row.id for row in rows if _is_open(project, row.started_at, row.seen_at, now)}


def sign_out(project: Project, visitor: SignedIn) -> None:
    with project.database.write() as session:
        end(session, project, visitor.account.id, only=visitor.session_id)
        record(session, project, visitor.account.id, "sign out", visitor.account.name)


def open_sessions(project: Project, account: Account) -> list[OpenSession]:
    """The account's own, newest first."""
    with reading(project, account, Right.LABEL) as session:
        return _open(session, project, account)


def end_own(project: Project, account: Account, session_id: int) -> None:
    """Raises InputError if that is no open session of the account."""
    with acting(project, account, Right.LABEL) as session:
        if not end(session, project, account.id, only=session_id):
            raise InputError("That session has ended already.")
        record(session, project, account.id, "end session", account.name)


def end_others(project: Project, account: Account, kept: int) -> int:
    """Ends all sessions of the account but one. Returns how many were open: those over by time do not count."""
    with acting(project, account, Right.LABEL) as session:
        count = sum(one.id != kept for one in _open(session, project, account))
        end(session, project, account.id, but=kept)
        record(session, project, account.id, "end session", account.name, count=count)
        return count


def refuse_ended(session: Session, visitor: SignedIn) -> None:
    """Raises NotAllowedError if the session has been ended."""
    ended_at = session.scalar(select(WebSession.ended_at).where(WebSession.id == visitor.session_id))
    if ended_at is not None:
        raise NotAllowedError("You are signed out. Sign in again.")


def end(
    session: Session, project: Project, person_id: int, *, only: int | None = None, but: int | None = None
) -> int:
    """Ends sessions of a person: all, one, or all but one. Returns how many rows, those over by time included."""
    ended = update(WebSession).where(WebSession.person_id == person_id, WebSession.ended_at.is_(None))
    if only is not None:
        ended = ended.where(WebSession.id == only)
    if but is not None:
        ended = ended.where(WebSession.id != but)
    return session.connection().execute(ended.values(ended_at=project.now())).rowcount


def digest_of(token: str) -> str:
    """Tokens are long and random, so a plain hash of one cannot be guessed back."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _open(session: Session, project: Project, account: Account) -> list[OpenSession]:
    rows = session.execute(
        select(
            WebSession.id,
            WebSession.means,
            WebSession.client,
            WebSession.browser,
            WebSession.started_at,
            WebSession.seen_at,
        )
        .where(WebSession.person_id == account.id, WebSession.ended_at.is_(None))
        .order_by(WebSession.started_at.desc(), WebSession.id.desc())
    ).all()
    now = project.now()
    return [OpenSession(*row) for row in rows if _is_open(project, row.started_at, row.seen_at, now)]


def _is_open(project: Project, started_at: datetime, seen_at: datetime, now: datetime) -> bool:
    settings = project.settings
    is_idle = now - seen_at > timedelta(hours=settings.session_idle_hours)
    return not is_idle and now - started_at <= timedelta(days=settings.session_days)
