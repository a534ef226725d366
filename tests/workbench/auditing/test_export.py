"""The audit leaves as CSV or JSONL, from which others can verify it."""

import csv
import hashlib
import json
from pathlib import Path

import pytest
from sqlalchemy import select

from db.tables import AuditEntry
from workbench.accounts import Account, command_line
from workbench.audit import head_of, record
from workbench.auditing import export
from workbench.auditing.export import lines_of, write_audit
from workbench.auditing.listing import Wanted
from workbench.errors import InputError, NotAllowedError
from workbench.project import Project

HOSTILE = "=cmd|' /C calc'!A0"


@pytest.fixture
def admin(project: Project) -> Account:
    return command_line(project)


@pytest.fixture(autouse=True)
def entries(project: Project, admin: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ENTRIES_AT_ONCE", 2)
    with project.database.write() as session:
        record(session, project, None, "import", HOSTILE, rows=1.5, 名="一\u2028二")
        record(session, project, admin.id, "import", "b.tsv", nested={"b": [None], "a": 1})


def test_others_verify_the_chain_from_the_lines(project: Project, admin: Account, tmp_path: Path) -> None:
    """As docs/audit.md shows."""
    head = head_of(project)
    assert write_audit(project, admin, tmp_path / "audit.jsonl") == head.number
    before = bytes(32)
    for line in (tmp_path / "audit.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n"):
        entry = json.loads(line)
        digest = entry.pop("digest")
        entry.pop("person")
        written = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        before = hashlib.sha256(before + written.encode()).digest()
        assert digest == before.hex()
    assert before == head.digest


def test_no_cell_is_a_formula(project: Project, admin: Account, tmp_path: Path) -> None:
    write_audit(project, admin, tmp_path / "audit.csv")
    with (tmp_path / "audit.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == [*range(1, len(rows) + 1)]
    assert (rows[-2]["subject"], rows[-2]["person"]) == (f"'{HOSTILE}", "")
    assert json.loads(rows[-1]["detail"]) == {"nested": {"b": [None], "a": 1}}


def test_the_export_itself_is_recorded(project: Project, admin: Account, tmp_path: Path) -> None:
    count = write_audit(project, admin, tmp_path / "audit.CSV")
    with project.database.read() as session:
        newest = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert newest is not None
    assert (newest.id, newest.action, newest.subject) == (count + 1, "export audit", "audit.CSV")
    assert (newest.person_id, newest.detail) == (admin.id, {"entries": count})


def test_lines_of_a_search_are_only_those_that_fit(project: Project, admin: Account) -> None:
    lines = [json.loads(line) for line in lines_of(project, admin, "jsonl", Wanted(subject="b.tsv"))]
    assert [line["subject"] for line in lines] == ["b.tsv"]


def test_what_cannot_be_written_is_refused(
    project: Project, admin: Account, ann: Account, tmp_path: Path
) -> None:
    (tmp_path / "there.csv").touch()
    for name in ("audit.xlsx", "audit", "there.csv", "no/folder.csv"):
        with pytest.raises(InputError):
            write_audit(project, admin, tmp_path / name)
    with pytest.raises(NotAllowedError):
        write_audit(project, ann, tmp_path / "audit.csv")
    assert [path.name for path in tmp_path.glob("*.csv")] == ["there.csv"]
