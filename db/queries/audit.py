"""Entries of the audit with the names of their persons."""

from datetime import datetime

from sqlalchemy import Select, func, select

from db.tables import AuditEntry, Person


def audit_entries() -> Select[int, datetime, int | None, str | None, str, str, dict[str, object], bytes]:
    """(id, at, person_id, person, action, subject, detail, digest)."""
    return select(
        AuditEntry.id,
        AuditEntry.at,
        AuditEntry.person_id,
        Person.name.label("person"),
        AuditEntry.action,
        AuditEntry.subject,
        AuditEntry.detail,
        AuditEntry.digest,
    ).outerjoin(Person, Person.id == AuditEntry.person_id)


def first_entry_since(moment: datetime) -> Select[int | None]:
    """By number: the clock may have been set back between two entries."""
    return select(func.min(AuditEntry.id)).where(AuditEntry.at >= moment)


def last_entry_before(moment: datetime) -> Select[int | None]:
    return select(func.max(AuditEntry.id)).where(AuditEntry.at < moment)
