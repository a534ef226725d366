"""The labelling guidelines. Each text is a version, and every answer records the version in force."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.tables import Guideline
from workbench.accounts import Account, Right, acting
from workbench.audit import record
from workbench.errors import InputError
from workbench.project import Project

LONGEST = 20_000

# Built once: they run at every key press.
_VERSION = select(func.max(Guideline.version))
_TEXT = select(Guideline.text).order_by(Guideline.version.desc()).limit(1)


def version_in_force(session: Session) -> int:
    return session.connection().scalar(_VERSION) or 0


def text_in_force(session: Session) -> str:
    return session.connection().scalar(_TEXT) or ""


def publish(project: Project, account: Account, text: str) -> int:
    """Put a text in force; returns its version. An unchanged text makes no new version.

    Raises NotAllowedError if `account` is not a lead, InputError for an empty or overlong text.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise InputError(
            "Guidelines need 1 to {most} characters; these have {length}.", most=LONGEST, length=len(text)
        )
    with acting(project, account, Right.REVIEW) as session:
        version = version_in_force(session)
        if text == text_in_force(session):
            return version
        session.add(Guideline(version=version + 1, text=text, created_at=project.now()))
        record(session, project, account.id, "publish guidelines", f"version {version + 1}")
        return version + 1
