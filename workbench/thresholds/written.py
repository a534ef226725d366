"""The files of verdicts in the project's own folder, by their receipts."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from workbench.accounts import Account, Right, check
from workbench.project import Project
from workbench.thresholds.verdicts import receipt_of

LISTED = 10


@dataclass(frozen=True)
class WrittenVerdicts:
    file: Path
    created: datetime
    by: str
    rows: int
    new: int
    changed: int


def written_verdicts(project: Project, account: Account, *, most: int = LISTED) -> list[WrittenVerdicts]:
    """The newest first. Raises NotAllowedError without the right to export."""
    check(project, account, Right.EXPORT)
    files = (project.data / "verdicts").glob("*.tsv")
    written = [_read(file) for file in files if receipt_of(file).is_file()]
    return sorted(written, key=lambda one: one.created, reverse=True)[:most]


def _read(file: Path) -> WrittenVerdicts:
    receipt = json.loads(receipt_of(file).read_text(encoding="utf-8"))
    created = datetime.fromisoformat(receipt["created"])
    return WrittenVerdicts(
        file, created, receipt["by"], receipt["rows"], receipt.get("new", 0), receipt.get("changed", 0)
    )
