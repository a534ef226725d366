"""The labelling guidelines. Each text is a version, and every answer records the version in force.

A version is the leads' text, followed by the rulings in force under a heading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.rulings import standing_rulings
from db.tables import Guideline, Ruling
from workbench.accounts import Account, Right, acting
from workbench.audit import record
from workbench.errors import InputError
from workbench.project import Project

LONGEST = 20_000
"""Of the leads' text, without the rulings."""
RULINGS = "—— Rulings ——"
"""The line above the rulings."""

# Built once: they run at every key press.
_VERSION = select(func.max(Guideline.version))
_TEXT = select(Guideline.text).order_by(Guideline.version.desc()).limit(1)
_RULINGS = standing_rulings().with_only_columns(
    Ruling.title, Ruling.kind, Ruling.label, Ruling.reason, Ruling.ruled_at
)


@dataclass(frozen=True)
class RulingInForce:
    title: str
    kind: str
    label: str
    reason: str | None
    ruled_at: datetime


def version_in_force(session: Session) -> int:
    return session.connection().scalar(_VERSION) or 0


def text_in_force(session: Session) -> str:
    return session.connection().scalar(_TEXT) or ""


def without_rulings(text: str) -> str:
    lines = text.split("\n")
    return "\n".join(lines[: lines.index(RULINGS)]).strip() if RULINGS in lines else text


def rulings_in_force(session: Session) -> list[RulingInForce]:
    return [RulingInForce(*row) for row in session.connection().execute(_RULINGS)]


def publish(project: Project, account: Account, text: str, *, based_on: int | None = None) -> int:
    """Put a text in force; returns its version. An unchanged text makes no new version.

    The rulings in force stay: those below the heading in `text` are replaced by them. Raises NotAllowedError if
    `account` is not a lead, InputError for an empty or overlong text, and if another version than
    `based_on` is in force.
    """
    text = without_rulings(text.strip())
    if not text or len(text) > LONGEST:
        raise InputError(
            "Guidelines need 1 to {most} characters; these have {length}.", most=LONGEST, length=len(text)
        )
    with acting(project, account, Right.SET_GUIDELINES) as session:
        if based_on is not None and version_in_force(session) != based_on:
            raise InputError(
                "Another version of the guidelines came into force meanwhile. Read it, then write yours anew."
            )
        return publish_with(session, project, account, text, session.scalars(standing_rulings()).all())


def publish_with(
    session: Session, project: Project, account: Account, text: str, rulings: Sequence[Ruling]
) -> int:
    """Put the leads' text and these rulings in force; returns the version."""
    whole = "\n\n".join(filter(None, (text, *([RULINGS] if rulings else []), *map(_paragraph, rulings))))
    version = version_in_force(session)
    if whole == text_in_force(session):
        return version
    session.add(Guideline(version=version + 1, text=whole, created_at=project.now()))
    record(session, project, account.id, "publish guidelines", f"version {version + 1}")
    session.flush()
    return version + 1


def _paragraph(ruling: Ruling) -> str:
    reason = f" ({ruling.reason})" if ruling.reason else ""
    return f"{ruling.title}: {ruling.label}{reason}\n{ruling.kind}"
