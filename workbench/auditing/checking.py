"""Whether the audit is intact, by itself and beside the receipts in the project's folder.

A receipt names the head of the audit at its time, so a chain that was computed anew contradicts it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trainer.messages import Message
from workbench.accounts import Account, Right, check
from workbench.audit import Head, number_of, verify
from workbench.errors import InputError
from workbench.project import Project

FOLDERS = ("annotations", "bundles", "exports", "verdicts")
"""Of the project's data, with receipts."""
NOTED = "--head"


@dataclass(frozen=True)
class Checked:
    """`head` is the last entry up to which the audit is intact; `heads` were compared with it, of `receipts` files."""

    head: Head
    heads: int
    receipts: int
    at: datetime
    problem: Message | None

    @property
    def is_intact(self) -> bool:
        return self.problem is None


def check_audit(project: Project, account: Account, noted: Iterable[str] = ()) -> Checked:
    """`noted` are heads in short form, from receipts or notes elsewhere.

    Raises NotAllowedError without the right to read the audit, InputError for a head in another form.
    """
    check(project, account, Right.READ_AUDIT)
    noted = tuple(noted)
    for short in noted:
        if number_of(short) is None:
            raise InputError(
                "{head} is not the head of an audit. Write it as in a receipt: 1204:9f86d081884c7d65.",
                head=short,
            )
    return examine_audit(project, noted)


def examine_audit(project: Project, noted: Iterable[str] = ()) -> Checked:
    """`check_audit` without an account, for `workbench doctor`, which says nothing of what the entries hold."""
    anchors: dict[str, list[str]] = defaultdict(list)
    for short in noted:
        anchors[short].append(NOTED)
    # Before the snapshot, which then holds the entries that they name.
    receipts = list(_heads(project))
    for file, short in receipts:
        anchors[short].append(str(file.relative_to(project.home)))
    with project.database.read() as session:
        verification = verify(session, anchors)
    return Checked(verification.head, len(anchors), len(receipts), project.now(), verification.problem)


def _heads(project: Project) -> Iterator[tuple[Path, str]]:
    for name in FOLDERS:
        for file in sorted((project.data / name).rglob("*receipt.json")):
            short = _head_in(file)
            if short is not None:
                yield file, short


def _head_in(file: Path) -> str | None:
    """None of a receipt of an earlier version, of a file that is being replaced, or of what is no head."""
    try:
        short = json.loads(file.read_text(encoding="utf-8")).get("audit_head")
    except (OSError, ValueError, AttributeError):
        return None
    return short if isinstance(short, str) and number_of(short) is not None else None
