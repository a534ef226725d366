"""Files of verdicts are listed by their receipts, the newest first."""

import json

import pytest

from workbench.accounts import Account
from workbench.errors import NotAllowedError
from workbench.project import Project
from workbench.thresholds.verdicts import receipt_of
from workbench.thresholds.written import written_verdicts


def test_the_newest_come_first_and_a_file_without_a_receipt_is_none(
    project: Project, lead: Account, ann: Account
) -> None:
    assert written_verdicts(project, lead) == []
    folder = project.data / "verdicts"
    folder.mkdir()
    for name, day in (("a", 1), ("b", 3), ("c", 2)):
        file = folder / f"{name}.tsv"
        file.touch()
        receipt = {"created": f"2026-01-0{day}T00:00:00+00:00", "by": "Lin", "rows": day, "new": 1}
        receipt_of(file).write_text(json.dumps(receipt), encoding="utf-8")
    (folder / "half.tsv").touch()
    written = written_verdicts(project, lead, most=2)
    assert [(one.file.name, one.rows, one.new, one.changed) for one in written] == [
        ("b.tsv", 3, 1, 0),
        ("c.tsv", 2, 1, 0),
    ]
    with pytest.raises(NotAllowedError):
        written_verdicts(project, ann)
