"""The audit is chained: what `record` writes is accepted, and any later change is found."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from db.tables import AuditEntry
from tests.conftest import Clock
from workbench.accounts import Account
from workbench.audit import NO_DIGEST, Head, Verification, digest_of, read_head, record, verify
from workbench.project import Project

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.integers(), inner, max_size=3),
    max_leaves=6,
)
DETAIL = st.dictionaries(st.sampled_from(["posts", "理由", "Ω"]), VALUE)
ENTRIES = st.lists(st.tuples(TEXT, TEXT, DETAIL), min_size=3, max_size=5)

Change = Callable[[Connection, int, int], object]
COLUMNS = "person_id, action, subject, detail, digest"


def sql(statement: str) -> Change:
    """`{one}` and `{other}` are the numbers of two entries, of which the second may be the first."""

    def run(rows: Connection, one: int, other: int) -> None:
        rows.exec_driver_sql(statement.format(one=one, other=other))

    return run


def delete(rows: Connection, one: int, _other: int) -> None:
    """The later ones move up."""
    rows.exec_driver_sql(f"DELETE FROM audit_entry WHERE id = {one}")
    rows.exec_driver_sql(f"UPDATE audit_entry SET id = id - 1 WHERE id > {one}")


def insert(rows: Connection, one: int, other: int) -> None:
    """The later ones move on."""
    rows.exec_driver_sql(f"UPDATE audit_entry SET id = -id - 1 WHERE id >= {one}")
    rows.exec_driver_sql("UPDATE audit_entry SET id = -id WHERE id < 0")
    source = other if other < one else other + 1
    rows.exec_driver_sql(
        f"INSERT INTO audit_entry (id, at, {COLUMNS}) SELECT {one}, at, {COLUMNS} FROM audit_entry WHERE id = {source}"
    )


def swap(rows: Connection, one: int, other: int) -> None:
    other = other if other != one else one - 1
    for was, now in ((one, -1), (other, one), (-1, other)):
        rows.exec_driver_sql(f"UPDATE audit_entry SET id = {now} WHERE id = {was}")


CHANGES = {
    "time": sql("UPDATE audit_entry SET at = '2025-12-31 23:59:59.999999' WHERE id = {one}"),
    "a microsecond": sql("UPDATE audit_entry SET at = replace(at, '.000000', '.000001') WHERE id = {one}"),
    "no time": sql("UPDATE audit_entry SET at = '' WHERE id = {one}"),
    "person": sql("UPDATE audit_entry SET person_id = coalesce(person_id, 0) + 1 WHERE id = {one}"),
    "action": sql("UPDATE audit_entry SET action = action || 'x' WHERE id = {one}"),
    "subject": sql("UPDATE audit_entry SET subject = ' ' || subject WHERE id = {one}"),
    "no text": sql("UPDATE audit_entry SET subject = x'ff' WHERE id = {one}"),
    "unreadable text": sql("UPDATE audit_entry SET subject = cast(x'ff' AS TEXT) WHERE id = {one}"),
    "detail": sql("""UPDATE audit_entry SET detail = '{{"another": [0.5]}}' WHERE id = {one}"""),
    "no JSON": sql("UPDATE audit_entry SET detail = '{{' WHERE id = {one}"),
    "digest": sql("UPDATE audit_entry SET digest = zeroblob(32) WHERE id = {one}"),
    "number": sql("UPDATE audit_entry SET id = 1000000 WHERE id = {one}"),
    "removed": sql("DELETE FROM audit_entry WHERE id = {one}"),
    "removed, no gap": delete,
    "put there": insert,
    "swapped": swap,
    "put before all": sql(
        f"INSERT INTO audit_entry (id, at, {COLUMNS}) SELECT 0, at, {COLUMNS} FROM audit_entry WHERE id = {{one}}"
    ),
    "put after all": sql(
        f"INSERT INTO audit_entry (id, at, {COLUMNS}) SELECT (SELECT max(id) + 1 FROM audit_entry), "
        f"at, {COLUMNS} FROM audit_entry WHERE id = {{one}}"
    ),
}


class UndoneError(Exception):
    pass


def unlock(rows: Connection) -> None:
    for name in ("no_update", "no_delete", "in_order"):
        rows.exec_driver_sql(f"DROP TRIGGER audit_entry_{name}")
    rows.exec_driver_sql("PRAGMA defer_foreign_keys = ON")


@contextmanager
def rolled_back(project: Project) -> Iterator[Session]:
    with suppress(UndoneError), project.database.write() as session:
        yield session
        raise UndoneError


def verified(
    project: Project, lead: Account, entries: list[Any], change: Callable[[Connection, Head], object]
) -> tuple[Head, Verification]:
    """The head after the entries, and what is found after the change."""
    with rolled_back(project) as session:
        for number, (action, subject, detail) in enumerate(entries):
            record(session, project, lead.id if number % 2 else None, action, subject, **detail)
        head = read_head(session)
        change(session.connection(), head)
        verification = verify(session, {str(head): ["receipt.json"]})
    return head, verification


IN_ONE_PROJECT = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=50
)
"""Each example is rolled back."""


@IN_ONE_PROJECT
@given(entries=ENTRIES)
def test_what_is_recorded_is_accepted(project: Project, lead: Account, entries: list[Any]) -> None:
    head, verification = verified(project, lead, entries, lambda _rows, _head: None)
    assert verification == Verification(head)


@pytest.mark.parametrize("name", CHANGES)
@settings(IN_ONE_PROJECT, max_examples=15)
@given(entries=ENTRIES, data=st.data())
def test_a_change_is_found_no_later_than_at_its_place(
    project: Project, lead: Account, name: str, entries: list[Any], data: st.DataObject
) -> None:
    places = []

    def tamper(rows: Connection, head: Head) -> None:
        numbers = st.integers(2, head.number)
        places.extend([data.draw(numbers), data.draw(numbers)])
        unlock(rows)
        CHANGES[name](rows, *places)

    head, verification = verified(project, lead, entries, tamper)
    assert verification.problem is not None
    # A copy of an entry in its own place moves the entry on; an entry after all follows the head.
    last = {"put there": places[0], "put after all": head.number, "swapped": max(places)}
    assert verification.head.number <= last.get(name, places[0] - 1)
    assert len(str(verification.problem).split(". ")) == 1


def test_two_entries_of_one_transaction_follow_each_other(project: Project, lead: Account) -> None:
    with project.database.write() as session:
        first = record(session, project, lead.id, "import", "a.tsv")
        second = record(session, project, lead.id, "import", "b.tsv")
        head = read_head(session)
    assert second == first + 1 == head.number
    with project.database.read() as session:
        assert verify(session) == Verification(head)


def test_an_entry_that_is_rolled_back_leaves_no_gap(project: Project, lead: Account) -> None:
    with project.database.read() as session:
        before = read_head(session)
    with rolled_back(project) as session:
        undone = record(session, project, lead.id, "import", "a.tsv")
    with project.database.write() as session:
        assert record(session, project, lead.id, "import", "b.tsv") == undone == before.number + 1
    with project.database.read() as session:
        assert verify(session, {str(before): ["receipt.json"]}).problem is None
        assert session.get_one(AuditEntry, undone).subject == "b.tsv"


def test_a_project_begins_without_entries(project: Project) -> None:
    with project.database.read() as session:
        assert verify(session) == Verification(Head())
        assert str(read_head(session)) == "0:0000000000000000"


def test_a_chain_that_was_computed_anew_contradicts_a_receipt(
    project: Project, lead: Account, clock: Clock
) -> None:
    with project.database.write() as session:
        record(session, project, lead.id, "import", "a.tsv")
        receipt = read_head(session)
        record(session, project, lead.id, "import", "b.tsv")
        unlock(session.connection())
        session.connection().exec_driver_sql(f"DELETE FROM audit_entry WHERE id >= {receipt.number}")
        clock.moment += timedelta(seconds=1)
        for name in ("c.tsv", "d.tsv"):
            record(session, project, lead.id, "import", name)
        assert verify(session).problem is None
        found = verify(session, {str(receipt): ["data/exports/1/receipt.json"]})
    assert str(found.problem) == (
        f"data/exports/1/receipt.json names another entry {receipt.number} than the audit holds: "
        "entries up to it were written anew."
    )


def test_entries_removed_from_the_end_are_missed_by_a_receipt(project: Project, lead: Account) -> None:
    with project.database.write() as session:
        record(session, project, lead.id, "import", "a.tsv")
        receipt = read_head(session)
        unlock(session.connection())
        session.connection().exec_driver_sql(f"DELETE FROM audit_entry WHERE id = {receipt.number}")
        assert verify(session).problem is None
        found = verify(session, {str(receipt): ["receipt.json"], "no head": ["x"], "0:" + 16 * "f": ["y"]})
    last = receipt.number - 1
    assert str(found.problem) == (
        f"The audit ends at entry {last}, but receipt.json names entry {receipt.number}: "
        "the newest entries were removed."
    )


def test_the_digest_is_the_one_that_the_documentation_describes(project: Project) -> None:
    """Others compute it from exported lines."""
    at = project.now().astimezone(timezone(timedelta(hours=8)))
    entry = {"id": 1, "at": at, "person_id": 2, "action": "a", "subject": "旧", "detail": {"b": [1.5, None]}}
    written = (
        b'{"action":"a","at":"2026-01-05T09:00:00.000000+00:00","detail":{"b":[1.5,null]},'
        b'"id":1,"person_id":2,"subject":"\\u65e7"}'
    )
    assert digest_of(NO_DIGEST, entry) == hashlib.sha256(bytes(32) + written).digest()
