"""The audit trail: entries that are only appended, each with a digest over the entry before it.

An entry is written in the transaction of its act, so neither exists without the other. A change of any entry changes all
later digests, and the newest one (the head) is in every receipt.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import String, cast, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db.tables import AuditEntry
from trainer.messages import Message
from workbench.project import Project

NO_DIGEST = bytes(32)
"""Stands before the first entry."""
SHORT = 16
"""Hexadecimal digits of a digest in a receipt."""
ENTRIES_AT_ONCE = 10_000
_SHORT_FORM = re.compile(rf"([0-9]{{1,18}}):[0-9a-f]{{{SHORT}}}")
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))

_HEAD = select(AuditEntry.id, AuditEntry.digest).order_by(AuditEntry.id.desc()).limit(1)
_APPEND = insert(AuditEntry)
# As text: an entry that was tampered with need not hold a moment or JSON.
_AS_STORED = select(
    AuditEntry.id,
    cast(AuditEntry.at, String).label("at"),
    AuditEntry.person_id,
    AuditEntry.action,
    AuditEntry.subject,
    cast(AuditEntry.detail, String).label("detail"),
    AuditEntry.digest,
).order_by(AuditEntry.id)


@dataclass(frozen=True)
class Head:
    """The newest entry."""

    number: int = 0
    digest: bytes = NO_DIGEST

    def __str__(self) -> str:
        """Short form, for receipts."""
        return f"{self.number}:{self.digest.hex()[:SHORT]}"


@dataclass(frozen=True)
class Verification:
    """`head` is the last entry up to which the chain is intact; `problem` says where it breaks."""

    head: Head
    problem: Message | None = None


def record(
    session: Session, project: Project, person_id: int | None, action: str, subject: str, **detail: object
) -> int:
    """Append an entry in the caller's write transaction; returns its number.

    Writers are serial (`Database.write`), so no other entry can follow the same head. A database with concurrent
    writers would need a lock here.
    """
    # Read back, as verification reads it: a number as a key becomes text.
    stored = json.loads(json.dumps(detail))
    before, at = read_head(session), project.now()
    number = before.number + 1
    values = {"at": at, "person_id": person_id, "action": action, "subject": subject, "detail": stored}
    digest = digest_of(before.digest, {"id": number, **values})
    session.connection().execute(_APPEND, {"id": number, "digest": digest, **values})
    return number


def read_head(session: Session) -> Head:
    row = session.connection().execute(_HEAD).one_or_none()
    return Head() if row is None else Head(row.id, row.digest)


def head_of(project: Project) -> Head:
    with project.database.read() as session:
        return read_head(session)


def digest_of(before: bytes, entry: Mapping[str, Any]) -> bytes:
    """SHA-256 over the digest of the entry before and the canonical JSON of this one: sorted keys, no spaces, ASCII."""
    at: datetime = entry["at"]
    fields = {**entry, "at": at.astimezone(UTC).isoformat(timespec="microseconds")}
    written = _CANONICAL.encode(fields)
    return hashlib.sha256(before + written.encode("ascii")).digest()


def verify(session: Session, anchors: Mapping[str, Iterable[str]] | None = None) -> Verification:
    """Compute every digest anew, up to the first break.

    `anchors` are places by the short form of the head that each of them names: they show whether the whole chain was
    computed anew, or its newest entries were removed.
    """
    waiting = _by_number(anchors or {})
    head, stored = Head(), _AS_STORED.execution_options(yield_per=ENTRIES_AT_ONCE)
    try:
        for row in session.connection().execute(stored):
            problem = _problem_of(head, row)
            if problem is not None:
                return Verification(head, problem)
            head = Head(row.id, row.digest)
            for short, place in waiting.pop(head.number, ()):
                if short != str(head):
                    return Verification(head, _rewritten(head.number, place))
    except DBAPIError:
        return Verification(
            head, Message("Entries of the audit after number {number} cannot be read.", number=head.number)
        )
    return Verification(head, _missing_end(head, waiting))


def number_of(short: str) -> int | None:
    """The number in the short form of a head; None if it is none."""
    form = _SHORT_FORM.fullmatch(short)
    return None if form is None else int(form[1])


def _by_number(anchors: Mapping[str, Iterable[str]]) -> dict[int, list[tuple[str, str]]]:
    """Short forms and their places, by the number of the entry."""
    waiting: dict[int, list[tuple[str, str]]] = {}
    for short, places in anchors.items():
        if number := number_of(short):  # 0: the audit had no entry
            waiting.setdefault(number, []).extend((short, place) for place in places)
    return waiting


def _problem_of(before: Head, row: Any) -> Message | None:
    if row.id > before.number + 1:
        return Message("Entry {number} of the audit is missing.", number=before.number + 1)
    if row.id != before.number + 1 or row.digest != _digest_as_stored(before, row):
        return Message(
            "Entry {number} of the audit does not match its digest: it, or an entry before it, was changed, "
            "removed or put there afterwards.",
            number=row.id,
        )
    return None


def _digest_as_stored(before: Head, row: Any) -> bytes | None:
    try:
        moment = datetime.fromisoformat(row.at).replace(tzinfo=UTC)
        detail = json.loads(row.detail)
        fields = {"id": row.id, "at": moment, "person_id": row.person_id, "action": row.action}
        return digest_of(before.digest, {**fields, "subject": row.subject, "detail": detail})
    except (TypeError, ValueError, RecursionError):
        return None


def _rewritten(number: int, place: str) -> Message:
    return Message(
        "{place} names another entry {number} than the audit holds: entries up to it were written anew.",
        place=place,
        number=number,
    )


def _missing_end(head: Head, waiting: Mapping[int, list[tuple[str, str]]]) -> Message | None:
    if not waiting:
        return None
    number = max(waiting)
    return Message(
        "The audit ends at entry {last}, but {place} names entry {number}: the newest entries were removed.",
        last=head.number,
        place=waiting[number][0][1],
        number=number,
    )
