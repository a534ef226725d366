"""The keys of the labels, and the reasons for a violation or a skip: those of the settings, until a lead changes them.

Each change is a version. A reason that is no longer offered stays with the answers that have it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.tables import AnswerOptions
from workbench.accounts import Account, Right, acting
from workbench.audit import record
from workbench.errors import InputError
from workbench.project import Project
from workbench.settings import FREE_KEYS, LONGEST_REASON, MOST_REASONS, Settings

_NEWEST = select(AnswerOptions).order_by(AnswerOptions.version.desc()).limit(1)


@dataclass(frozen=True)
class Options:
    """`label_keys` in the order of LABELS. A reason's key is its place: 4 for the first."""

    label_keys: tuple[str, str, str]
    violation_reasons: tuple[str, ...]
    skip_reasons: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> "Options":
        return cls(settings.label_keys, settings.violation_reasons, settings.skip_reasons)


def settings_in_force(project: Project) -> Settings:
    """The settings with the options that leads have changed."""
    with project.database.read() as session:
        newest = session.scalar(_NEWEST)
        if newest is None:
            return project.settings
        first, second, third = newest.label_keys
        update = {
            "label_keys": (first, second, third),
            "violation_reasons": tuple(newest.violation_reasons),
            "skip_reasons": tuple(newest.skip_reasons),
        }
    return project.settings.model_copy(update=update)


def set_options(project: Project, account: Account, options: Options) -> None:
    """Raises InputError for a key that is taken, used by the page, or no key; and for reasons that are empty, too long, too
    many or equal.
    """
    _check_keys(options.label_keys)
    for reasons in (options.violation_reasons, options.skip_reasons):
        _check_reasons(reasons)
    with acting(project, account, Right.SET_GUIDELINES) as session:
        session.add(
            AnswerOptions(
                version=_version(session) + 1,
                label_keys=list(options.label_keys),
                violation_reasons=list(options.violation_reasons),
                skip_reasons=list(options.skip_reasons),
                person_id=account.id,
                created_at=project.now(),
            )
        )
        record(
            session,
            project,
            account.id,
            "change answer options",
            "".join(options.label_keys),
            violation_reasons=list(options.violation_reasons),
            skip_reasons=list(options.skip_reasons),
        )


def _version(session: Session) -> int:
    newest = session.scalar(_NEWEST)
    return 0 if newest is None else newest.version


def _check_keys(keys: Sequence[str]) -> None:
    for key in keys:
        if key not in FREE_KEYS:
            raise InputError(
                "The key {key} cannot be that of a label: the page uses it itself. Free are: {free}.",
                key=key,
                free=" ".join(FREE_KEYS),
            )
    if len(set(keys)) < len(keys):
        raise InputError("Every label needs a key of its own.")


def _check_reasons(reasons: Sequence[str]) -> None:
    if len(reasons) > MOST_REASONS:
        raise InputError("There are keys for at most {most} reasons.", most=MOST_REASONS)
    for reason in reasons:
        if not reason.strip() or len(reason) > LONGEST_REASON:
            raise InputError("A reason has 1 to {most} characters.", most=LONGEST_REASON)
    if len(set(reasons)) < len(reasons):
        raise InputError("Two reasons are the same.")
