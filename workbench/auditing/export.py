"""The audit as a file, oldest entry first: CSV for spreadsheets, or JSONL, from which others can verify the chain."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from db.tables import AuditEntry
from trainer.files import new_file
from workbench.accounts import Account, Right, acting, check
from workbench.audit import head_of, record
from workbench.auditing.listing import Entry, Wanted, bounds, matching
from workbench.errors import InputError
from workbench.exports.spreadsheet import csv_lines
from workbench.project import Project

FORMATS = ("csv", "jsonl")
COLUMNS = ("number", "time", "person", "action", "subject", "detail", "digest")
ENTRIES_AT_ONCE = 5_000


def write_audit(project: Project, account: Account, file: Path, *, headings: Sequence[str] = COLUMNS) -> int:
    """Write all entries, and record that; returns how many. The end of the name is the format.

    Raises NotAllowedError without the right to read the audit, InputError for another format or an existing file.
    """
    check(project, account, Right.READ_AUDIT)
    form = file.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise InputError("{file}: name a file that ends in .csv or .jsonl.", file=file)
    if file.exists():
        raise InputError("{file} already exists. Name another file.", file=file)
    if not file.parent.is_dir():
        raise InputError("There is no folder {folder}. Make it, or name another file.", folder=file.parent)
    last = head_of(project).number
    lines = lines_of(project, account, form, last=last, headings=headings)
    with new_file(file) as part, part.open("w", encoding="utf-8", newline="\n") as target:
        target.writelines(lines)
    with acting(project, account, Right.READ_AUDIT) as session:
        record(session, project, account.id, "export audit", file.name, entries=last)
    return last


def lines_of(
    project: Project,
    account: Account,
    form: str,
    wanted: Wanted | None = None,
    *,
    last: int | None = None,
    headings: Sequence[str] = COLUMNS,
) -> Iterable[str]:
    """Lines of a file of this format, up to the entry `last`, read while they are taken. `headings` are those of CSV.

    Raises NotAllowedError at the call without the right to read the audit.
    """
    check(project, account, Right.READ_AUDIT)
    entries = _entries(project, wanted or Wanted(), head_of(project).number if last is None else last)
    return csv_lines(_cells(entries, headings)) if form == "csv" else map(_line, entries)


def _entries(project: Project, wanted: Wanted, last: int) -> Iterator[Entry]:
    """In short snapshots: a slow reader does not keep the database from emptying its log."""
    with project.database.read() as session:
        lowest, highest = bounds(session, wanted)
    highest = min(highest, last)
    query = matching(wanted).order_by(AuditEntry.id).limit(ENTRIES_AT_ONCE)
    while lowest <= highest:
        with project.database.read() as session:
            rows = session.execute(query.where(AuditEntry.id.between(lowest, highest))).all()
        if not rows:
            return
        yield from (Entry(*row) for row in rows)
        lowest = rows[-1].id + 1


def _line(entry: Entry) -> str:
    return json.dumps(entry.to_dict(), ensure_ascii=False) + "\n"


def _cells(entries: Iterable[Entry], headings: Sequence[str]) -> Iterator[Sequence[object]]:
    yield headings
    for entry in entries:
        at, detail = f"{entry.at:%Y-%m-%d %H:%M:%S}", json.dumps(entry.detail, ensure_ascii=False)
        yield (entry.number, at, entry.person, entry.action, entry.subject, detail, entry.digest.hex())
