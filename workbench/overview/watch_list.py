"""Terms that leads watch in every scan of the radar, or have dismissed for good. Each decision is appended."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast

from sqlalchemy.orm import Session

from db.queries.terms import decisions_on, standing_terms
from db.tables import TermDecision
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import record
from workbench.errors import InputError
from workbench.project import Project

Standing = Literal["watched", "dismissed"]
LONGEST_TERM = 24
MOST_WATCHED = 60
"""Each scan counts all of them in all its posts."""


@dataclass(frozen=True)
class DecidedTerm:
    term: str
    standing: Standing
    by: str
    at: datetime


def watch_term(project: Project, account: Account, term: str) -> None:
    """Raises NotAllowedError without the right to set the watch list, InputError for no term or too long a one, or if the
    list is full."""
    with acting(project, account, Right.SET_WATCH_LIST) as session:
        terms = [one.term for one in terms_of(session) if one.standing == "watched"]
        if len(terms) >= MOST_WATCHED and key_of(term) not in terms:
            raise InputError(
                "The watch list holds {most} terms. Take one off before you add another.", most=MOST_WATCHED
            )
        if key := _decide(session, project, account, term, "watched"):
            record(session, project, account.id, "watch term", key)


def dismiss_term(project: Project, account: Account, term: str) -> None:
    """Raises NotAllowedError without the right to set the watch list, InputError for no term or too long a one."""
    with acting(project, account, Right.SET_WATCH_LIST) as session:
        if key := _decide(session, project, account, term, "dismissed"):
            record(session, project, account.id, "dismiss term", key)


def clear_term(project: Project, account: Account, term: str) -> None:
    """Neither watched nor dismissed from now on. Raises NotAllowedError without the right to set the watch list."""
    with acting(project, account, Right.SET_WATCH_LIST) as session:
        if key := _decide(session, project, account, term, None):
            record(session, project, account.id, "clear term", key)


def decided_terms(project: Project, account: Account) -> list[DecidedTerm]:
    """Newest first. Raises NotAllowedError without the right to review."""
    with reading(project, account, Right.REVIEW) as session:
        return terms_of(session)


def terms_of(session: Session) -> list[DecidedTerm]:
    return [
        DecidedTerm(decision.term, cast(Standing, decision.standing), name, decision.decided_at)
        for decision, name in session.execute(standing_terms())
    ]


def key_of(term: str) -> str:
    """The form in which terms are stored and compared."""
    return " ".join(term.casefold().split())


def _decide(
    session: Session, project: Project, account: Account, term: str, standing: Standing | None
) -> str | None:
    """The key of the term; None if the decision is in force already."""
    key = key_of(term)
    if not 0 < len(key) <= LONGEST_TERM:
        raise InputError("A term has 1 to {most} characters.", most=LONGEST_TERM)
    newest = session.scalars(decisions_on(key).limit(1)).first()
    if (newest.standing if newest else None) == standing:
        return None
    session.add(TermDecision(term=key, standing=standing, person_id=account.id, decided_at=project.now()))
    return key
