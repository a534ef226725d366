"""Search of the audit, newest first, page by page.

A page starts below the number at which the one before ended, and looks through a limited number of entries, so that no
page takes longer in a long audit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.audit import audit_entries, first_entry_since, last_entry_before
from db.tables import AuditEntry, Person
from workbench.accounts import Account, Right, reading
from workbench.audit import read_head
from workbench.project import Project

LISTED = 50
LONGEST_NUMBER = 9
"""Digits of a person's number."""
LOOKED_THROUGH = 200_000
"""Entries for one page of a search: about a tenth of a second."""


@dataclass(frozen=True)
class Wanted:
    """`subject` is a part of it. `since` is included, `until` is not."""

    person_id: int | None = None
    action: str | None = None
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Entry:
    number: int
    at: datetime
    person_id: int | None
    person: str | None
    """None for what the workbench does by itself, and for a sign-in under an unknown name."""
    action: str
    subject: str
    detail: Mapping[str, Any]
    digest: bytes

    def to_dict(self) -> dict[str, Any]:
        """A line of an export: what the digest is computed from as it was hashed, the person's name, the digest."""
        return {
            "id": self.number,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "person_id": self.person_id,
            "person": self.person,
            "action": self.action,
            "subject": self.subject,
            "detail": self.detail,
            "digest": self.digest.hex(),
        }


@dataclass(frozen=True)
class Page:
    """`after` is where the next page starts, None at the end; `is_cut`: more entries were looked through than allowed."""

    entries: Sequence[Entry]
    after: int | None = None
    is_cut: bool = False


def find(
    project: Project,
    account: Account,
    wanted: Wanted,
    *,
    before: int | None = None,
    most: int = LISTED,
    look_through: int = LOOKED_THROUGH,
) -> Page:
    """The entries with numbers below `before`. Raises NotAllowedError without the right to read the audit."""
    with reading(project, account, Right.READ_AUDIT) as session:
        lowest, highest = bounds(session, wanted)
        highest = highest if before is None else min(highest, before - 1)
        bottom = max(lowest, highest - look_through + 1)
        query = matching(wanted).where(AuditEntry.id.between(bottom, highest))
        rows = session.execute(query.order_by(AuditEntry.id.desc()).limit(most + 1)).all()
    entries = [Entry(*row) for row in rows[:most]]
    if len(rows) > most:
        return Page(entries, entries[-1].number)
    return Page(entries, bottom, is_cut=True) if bottom > lowest else Page(entries)


def wanted_of(values: Mapping[str, str]) -> Wanted:
    """A search from `person`, `action`, `subject`, `since`, `until` and `zone`; both days are included.

    Raises ValueError, OverflowError, OSError or ZoneInfoNotFoundError for a person, day or zone that is none.
    """
    zone = ZoneInfo(values.get("zone", "UTC"))
    since, until = (
        date.fromisoformat(values[name]) if name in values else None for name in ("since", "until")
    )
    return Wanted(
        person_id=_number(values["person"]) if "person" in values else None,
        action=values.get("action"),
        subject=values.get("subject", ""),
        since=None if since is None else _midnight(since, zone),
        until=None if until is None else _midnight(until + timedelta(days=1), zone),
    )


def _number(text: str) -> int:
    if not 0 < len(text) <= LONGEST_NUMBER:
        raise ValueError(text)
    return int(text)


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def people(project: Project, account: Account) -> dict[int, str]:
    with reading(project, account, Right.READ_AUDIT) as session:
        rows = session.execute(select(Person.id, Person.name).order_by(func.lower(Person.name), Person.id))
        return {row.id: row.name for row in rows}


def matching(wanted: Wanted) -> Any:
    query = audit_entries()
    for column, value in ((AuditEntry.person_id, wanted.person_id), (AuditEntry.action, wanted.action)):
        if value is not None:
            query = query.where(column == value)
    if wanted.subject:
        query = query.where(func.instr(AuditEntry.subject, wanted.subject) > 0)
    if wanted.since is not None:
        query = query.where(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditEntry.at < wanted.until)
    return query


def bounds(session: Session, wanted: Wanted) -> tuple[int, int]:
    """The numbers between which entries of the wanted time lie; the first is above the last if there are none."""
    last = read_head(session).number
    lowest = 1 if wanted.since is None else session.scalar(first_entry_since(wanted.since))
    highest = last if wanted.until is None else session.scalar(last_entry_before(wanted.until))
    return (1, 0) if lowest is None or highest is None else (lowest, highest)
