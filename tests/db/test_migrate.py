"""Migrations lead from a blank database to the current tables, and refuse a newer schema."""

import json
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import db.migrate
from db.migrate import SchemaTooNewError, revision, revisions, upgrade
from db.search import is_table_of_code
from db.session import Database, open_database
from db.tables import (
    AuditEntry,
    Base,
    Board,
    Import,
    Person,
    Post,
    PostFacts,
    PostGroup,
    PostText,
    RejectedRow,
    Round,
    RoundRule,
)
from trainer.messages import Message
from trainer.reading.rejects import Reject, RejectCode
from workbench.audit import Verification, read_head, verify
from workbench.imports.boards import board_name
from workbench.imports.facts import COLUMNS, thread_key

desk = import_module("db.migrations.versions.0003_annotators_desk")
boards_and_goals = import_module("db.migrations.versions.0019_boards_and_goals")
NOW = datetime(2026, 1, 5, tzinfo=UTC)
AUDIT_ENTRY = (
    "(id, at, action, subject, detail, digest) VALUES ({}, '2026-01-01', 'a', 'b', '{{}}', zeroblob(32))"
)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return open_database(tmp_path / "blank.db")


def test_from_blank_they_make_the_tables_of_the_code(database: Database) -> None:
    upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_table_of_code})
        assert compare_metadata(context, Base.metadata) == []
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_the_revisions_are_those_of_the_migrations(database: Database) -> None:
    """Read from the names of their files, so that opening a project loads none of them."""
    config = Config()
    config.set_main_option("script_location", str(db.migrate.MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    assert revisions() == [known.revision for known in reversed(list(script.walk_revisions()))]
    upgrade(database)
    assert revision(database) == script.get_current_head() == revisions()[-1]


def test_a_second_upgrade_changes_nothing(database: Database) -> None:
    upgrade(database)
    before = revision(database)
    upgrade(database)
    assert revision(database) == before


def test_a_newer_database_is_refused(database: Database) -> None:
    upgrade(database)
    with database.write() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = 'from the future'")
    with pytest.raises(SchemaTooNewError, match="from the future"):
        upgrade(database)


APPEND_ONLY = "annotation promotion audit_entry resolution policy comment ruling ruling_withdrawal"


@pytest.mark.parametrize("table", APPEND_ONLY.split())
@pytest.mark.parametrize("event", ["UPDATE", "DELETE"])
def test_history_has_triggers_against_rewriting(database: Database, table: str, event: str) -> None:
    upgrade(database)
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql(
            f"SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}' AND sql LIKE '%BEFORE {event}%'"
        ).scalar()
    assert found is not None


def test_an_audit_entry_cannot_be_changed(database: Database) -> None:
    upgrade(database)
    with database.write() as session:
        session.connection().exec_driver_sql(f"INSERT INTO audit_entry {AUDIT_ENTRY.format(1)}")
    for change in (
        "UPDATE audit_entry SET action = 'c'",
        "DELETE FROM audit_entry",
        f"INSERT OR REPLACE INTO audit_entry {AUDIT_ENTRY.format(1)}",
        f"INSERT INTO audit_entry {AUDIT_ENTRY.format(3)}",
    ):
        with pytest.raises(IntegrityError, match="append-only"), database.write() as session:
            session.connection().exec_driver_sql(change)


def test_audit_entries_of_before_are_chained_as_new_ones_are(database: Database) -> None:
    upgrade_to(database, "0013")
    with database.write() as session:
        old = session.connection()
        old.execute(insert(Person).values(id=1, name="A", role="lead", is_active=True, created_at=NOW))
        for number, detail in enumerate(({}, {"b": 1.5, "a": ["旧", None]}, {"1": True}), start=1):
            old.exec_driver_sql(
                "INSERT INTO audit_entry VALUES (?, '2026-01-05 09:00:00.000123', ?, 'import', '帖 子.tsv', ?)",
                (number, 1 if number % 2 else None, json.dumps(detail)),
            )
    upgrade(database)
    with database.read() as session:
        assert verify(session) == Verification(read_head(session))
        assert read_head(session).number == 3
        assert session.scalars(select(AuditEntry.at)).first() == NOW.replace(hour=9, microsecond=123)


def test_more_audit_entries_than_are_chained_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("db.migrations.versions.0015_audit_chain"), "BATCH", 2)
    upgrade_to(database, "0013")
    with database.write() as session:
        for number in range(1, 6):
            session.connection().exec_driver_sql(
                f"INSERT INTO audit_entry VALUES ({number}, '2026-01-05 09:00:00.000000', NULL, 'a', 'b', '{{}}')"
            )
    upgrade(database)
    with database.read() as session:
        assert verify(session) == Verification(read_head(session))


@pytest.mark.parametrize("change", ["UPDATE {} SET person_id = 2", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["resolution", "policy", "comment", "check_answer", "term_decision"])
def test_what_people_decided_and_said_cannot_be_rewritten(
    database: Database, table: str, change: str
) -> None:
    upgrade(database)
    rows = {
        "resolution": "(post_id, person_id, label_set_id, occasion, decided_at) VALUES (1, 1, 1, 'review', '2026-01-01')",
        "policy": "(version, band_low, band_high, pass_below, flag_from, prices, person_id, created_at)"
        " VALUES (1, 0.4, 0.6, 0.1, 0.9, '{}', 1, '2026-01-01')",
        "term_decision": "(term, person_id, decided_at) VALUES ('a', 1, '2026-01-01')",
        "comment": "(post_id, person_id, text, at) VALUES (1, 1, 'a', '2026-01-01')",
        "check_answer": "(post_id, person_id, kind, action, label_set_id, is_flagged, was_suggestion_visible, saved_at)"
        " VALUES (1, 1, 'gold', 'skip', 1, 0, 0, '2026-01-01')",
    }
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql(f"INSERT INTO {table} {rows[table]}")
        with pytest.raises(IntegrityError, match=f"{table} is append-only"):
            connection.exec_driver_sql(change.format(table))


def test_decisions_from_before_rulings_stay_as_they_are(database: Database) -> None:
    """Their table is copied, because SQLite cannot change its constraint."""
    upgrade_to(database, "0013")
    columns = "id, post_id, person_id, label_set_id, occasion, reason, decided_at"
    rows = [(1, 1, 1, 1, "review", "a", "2026-01-01"), (7, 2, 1, 1, "bulk", None, "2026-01-02")]
    with database.write() as session:
        old = session.connection()
        old.execute(insert(Person).values(id=1, name="林", role="lead", created_at=NOW))
        values = {"file_name": "", "state": "prepared", "encoding": "", "columns": {}, "started_at": NOW}
        old.execute(insert(Import).values(id=1, **values))
        posts = [{"id": n, "external_id": str(n), "text_hash": b"", "import_id": 1} for n in (1, 2)]
        old.execute(insert(Post), posts)
        old.exec_driver_sql("INSERT INTO label_set VALUES (1, '2026-01-01')")
        old.exec_driver_sql(f"INSERT INTO resolution ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    upgrade(database)
    with database.engine.connect() as connection:
        kept = connection.exec_driver_sql(f"SELECT {columns}, ruling_id FROM resolution ORDER BY id").all()
        assert [tuple(row) for row in kept] == [(*row, None) for row in rows]


def upgrade_to(database: Database, wanted: str) -> None:
    """Create the tables of an older revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(db.migrate.__file__).parent / "migrations"))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, wanted)


def test_posts_from_before_threads_were_known_get_their_key(database: Database) -> None:
    upgrade_to(database, "0002")
    facts = [
        {"board": "灌水", "title": f"题 {number % 3}"} if number % 4 else {"作者": "甲", "title": " "}
        for number in range(desk.BATCH + 4)
    ]
    numbers = range(1, len(facts) + 1)
    with database.write() as session:
        old = session.connection()
        old.execute(
            insert(Import).values(
                id=1, file_name="", state="prepared", encoding="", columns={}, started_at=NOW
            )
        )
        old.execute(
            insert(Post),
            [{"id": n, "external_id": str(n), "text_hash": b"", "import_id": 1} for n in numbers],
        )
        old.execute(
            insert(PostFacts),
            [{"post_id": n, "facts": known} for n, known in zip(numbers, facts, strict=True)],
        )
    upgrade(database)
    with database.read() as session:
        stored = session.execute(
            select(PostFacts.facts, PostFacts.thread_key).order_by(PostFacts.post_id)
        ).all()
    assert [known for known, _key in stored] == facts
    assert [key for _known, key in stored] == [thread_key(known) for known in facts]


@given(
    st.dictionaries(
        st.sampled_from([f" {name.upper()}" for names in COLUMNS.values() for name in names]), st.text()
    )
)
def test_the_key_that_old_posts_got_is_the_one_new_posts_get(facts: dict[str, str]) -> None:
    assert desk._thread_key(facts) == thread_key(facts)


@pytest.mark.parametrize(
    "find",
    [
        "SELECT id FROM post WHERE group_id = 7",
        "SELECT id FROM post WHERE group_id IN (7, 8)",
        "SELECT post.id FROM post_group AS g JOIN post ON post.group_id = g.id WHERE g.split = 'pool'",
        "SELECT post.id FROM post_group AS g LEFT JOIN post ON post.group_id = g.id WHERE g.split = 'pool'",
        "SELECT g.id FROM post_group AS g WHERE NOT EXISTS (SELECT 1 FROM post WHERE post.group_id = g.id)",
    ],
)
def test_the_posts_of_a_group_are_found_in_its_index_without_those_that_have_none(
    database: Database, find: str
) -> None:
    upgrade(database)
    with database.engine.connect() as connection:
        plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {find}")]
    assert any("INDEX ix_post_group_id (group_id=?)" in step for step in plan), plan


def test_posts_keep_their_groups_when_the_index_changes(database: Database) -> None:
    upgrade_to(database, "0006")
    with database.write() as session:
        old = session.connection()
        old.execute(
            insert(Import).values(
                id=1, file_name="", state="prepared", encoding="", columns={}, started_at=NOW
            )
        )
        old.execute(insert(PostGroup).values(id=7, key=b"k", split="pool"))
        old.execute(
            insert(Post),
            [
                {"id": n, "external_id": str(n), "text_hash": b"", "import_id": 1, "group_id": group}
                for n, group in ((1, 7), (2, None), (3, 7))
            ],
        )
    upgrade(database)
    with database.read() as session:
        assert session.scalars(select(Post.id).where(Post.group_id == 7).order_by(Post.id)).all() == [1, 3]
        assert session.scalars(select(Post.id).where(Post.group_id.is_(None))).all() == [2]
    with pytest.raises(IntegrityError, match="FOREIGN KEY"), database.write() as session:
        session.execute(delete(PostGroup).where(PostGroup.id == 7))


def test_prepared_posts_get_their_boards(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards_and_goals, "BATCH", 2)
    upgrade_to(database, "0017")
    facts = [
        {"Board": " 水库  二区 "},
        {"版块": "交易"},
        {"author": "甲"},
        {"forum": "水库 二区", "section": "x"},
        {"board": "交易"},
    ]
    with database.write() as session:
        old = session.connection()
        old.execute(
            insert(Import).values(
                id=1, file_name="", state="prepared", encoding="", columns={}, started_at=NOW
            )
        )
        old.execute(insert(PostGroup).values(id=7, key=b"k", split="pool"))
        for number, known in enumerate(facts, start=1):
            group = 7 if number < len(facts) else None
            row = {"id": number, "external_id": str(number), "text_hash": b"", "import_id": 1}
            old.execute(insert(Post).values(**row, group_id=group))
            old.execute(insert(PostFacts).values(post_id=number, facts=known))
    upgrade(database)
    with database.read() as session:
        names = dict(session.execute(select(Board.id, Board.name)).all())
        boards = session.scalars(select(Post.board_id).order_by(Post.id)).all()
    assert [names.get(board or 0) for board in boards] == ["水库 二区", "交易", None, "水库 二区", None]
    assert len(names) == 2


@given(st.dictionaries(st.sampled_from(sorted(f" {name.upper()}" for name in COLUMNS["board"])), st.text()))
def test_the_board_that_old_posts_got_is_the_one_new_posts_get(facts: dict[str, str]) -> None:
    assert boards_and_goals._board(facts) == board_name(facts)


def test_what_an_import_had_half_stored_goes_and_numbers_are_known(database: Database) -> None:
    upgrade_to(database, "0008")
    with database.write() as session:
        old = session.connection()
        for number, state in ((1, "prepared"), (2, "storing"), (3, "stored")):
            old.execute(
                insert(Import).values(
                    id=number, file_name="", state=state, encoding="", columns={}, started_at=NOW
                )
            )
        posts = [(1, 1), (4, 1), (5, 2), (6, 2), (7, 3)]
        old.execute(
            insert(Post),
            [{"id": n, "external_id": str(n), "text_hash": b"", "import_id": of} for n, of in posts],
        )
        old.execute(insert(PostText), [{"post_id": n, "text": "t"} for n, _of in posts])
        old.exec_driver_sql(
            "INSERT INTO rejected_row (import_id, line, reason, content) VALUES (2, 3, '', '')"
        )
    upgrade(database)
    with database.read() as session:
        assert session.scalars(select(Post.id).order_by(Post.id)).all() == [1, 4, 7]
        assert session.scalars(select(PostText.post_id).order_by(PostText.post_id)).all() == [1, 4, 7]
        assert session.scalars(select(RejectedRow.line)).all() == []
        known = select(Import.state, Import.first_post, Import.brought, Import.waiting).order_by(Import.id)
        assert session.execute(known).all() == [
            ("prepared", 1, 4, 0),
            ("failed", None, 0, 0),
            ("stored", 7, 1, 0),
        ]


def described(session: Session) -> dict[int, dict[str, Any]]:
    names = ("failure", "notes", "decision_reason", "verdict", "report")
    return {
        row.number: {name: getattr(row, name) for name in names} for row in session.scalars(select(Round))
    }


def plain(sentence: str) -> dict[str, Any]:
    return {"template": sentence, "values": {}}


def written(text: str) -> dict[str, Any]:
    return {"template": "{text}", "values": {"text": text}}


@pytest.fixture
def old_database(database: Database) -> Database:
    """A database whose messages are stored as sentences."""
    upgrade_to(database, "0009")
    verdict = {"decision": "reject", "outcome": "worse", "reasons": ["a", "b"], "warnings": ["c"]}
    report = {"metrics": None, "warnings": ["c"], "comparison": {"n": 3, "reasons": ["a", "b"]}}
    rounds = [
        {"number": 1, "failure": "Training failed: {x}", "notes": "trained elsewhere"},
        {"number": 2, "decision_reason": "a; b", "verdict": verdict, "report": report, "notes": "Tuesday"},
        {"number": 3, "decision_reason": "rolled back", "report": {"metrics": None}},
        {"number": 4, "decision_reason": "misses adverts; too many", "verdict": verdict},
    ]
    with database.write() as session:
        old = session.connection()
        old.execute(insert(Person).values(id=1, name="A", role="lead", is_active=True, created_at=NOW))
        for number, failure in ((1, "OSError: no space"), (2, None)):
            old.exec_driver_sql(
                "INSERT INTO import (id, file_name, state, encoding, columns, accepted, duplicates, rejected, "
                "started_at, failure) VALUES (?, '', 'stored', '', '{}', 0, 0, 0, '2026-01-05', ?)",
                (number, failure),
            )
        for row in rounds:
            values = [row.get(name) for name in ("notes", "failure", "decision_reason")]
            values += [json.dumps(row.get(name)) for name in ("verdict", "report")]
            old.exec_driver_sql(
                "INSERT INTO round (number, state, is_running, is_quick, base, attempt, step_attempts, "
                "is_rolling_back, created_at, started_by_id, notes, failure, decision_reason, verdict, report) "
                "VALUES (?, 'rejected', 0, 0, '', 0, 0, 0, '2026-01-05', 1, ?, ?, ?, ?, ?)",
                (row["number"], *values),
            )
    return database


def test_sentences_about_rounds_and_imports_become_templates_without_values(
    old_database: Database,
) -> None:
    upgrade(old_database)
    with old_database.read() as session:
        rounds = described(session)
        assert session.scalars(select(Import.failure).order_by(Import.id)).all() == [
            plain("OSError: no space"),
            None,
        ]
    assert (rounds[1]["failure"], rounds[1]["notes"]) == (
        plain("Training failed: {x}"),
        plain("trained elsewhere"),
    )
    assert rounds[2]["notes"] == written("Tuesday")
    reasons = [plain("a"), plain("b")]
    assert rounds[2]["verdict"]["reasons"] == rounds[2]["report"]["comparison"]["reasons"] == reasons
    assert rounds[2]["verdict"]["warnings"] == rounds[2]["report"]["warnings"] == [plain("c")]
    assert rounds[2]["report"]["comparison"]["n"] == 3
    assert rounds[2]["decision_reason"] == {"template": "{parts}", "values": {"parts": reasons}}
    assert (rounds[3]["decision_reason"], rounds[3]["report"]) == (plain("rolled back"), {"metrics": None})
    assert rounds[4]["decision_reason"] == written("misses adverts; too many")
    assert rounds[4]["failure"] is rounds[4]["notes"] is rounds[4]["report"] is None
    texts = {
        number: str(Message.from_dict(row["decision_reason"])) for number, row in rounds.items() if number > 1
    }
    assert texts == {2: "a; b", 3: "rolled back", 4: "misses adverts; too many"}


def test_unreadable_rows_of_before_have_their_code_and_the_posts_id(old_database: Database) -> None:
    sentences = [
        "expected 3 columns, found 1",
        "no text",
        "no id",
        "text of 100001 characters; at most 100000",
        "id p 1\nis already known with another text is already known with another text",
        "the moon was full",
    ]
    with old_database.write() as session:
        for line, sentence in enumerate(sentences, start=2):
            session.connection().exec_driver_sql(
                "INSERT INTO rejected_row (import_id, line, reason, content) VALUES (?, ?, ?, 'c')",
                (1 + line % 2, line, sentence),
            )
    upgrade(old_database)
    with old_database.read() as session:
        rows = session.scalars(select(RejectedRow).order_by(RejectedRow.line)).all()
        rejects = [
            Reject(row.line, RejectCode(row.code), row.content, row.external_id, row.details) for row in rows
        ]
        with pytest.raises(IntegrityError, match="UNIQUE"):
            session.execute(insert(RejectedRow).values(import_id=1, line=2, code="", details={}, content=""))
    assert [str(reject.reason) for reject in rejects] == sentences
    codes = ["columns", "no_text", "no_id", "too_long", "other_text", "as_written"]
    assert [reject.code for reject in rejects] == codes
    assert [reject.external_id for reject in rejects] == [
        *[None] * 4,
        "p 1\nis already known with another text",
        None,
    ]


def test_more_unreadable_rows_than_are_converted_at_once(old_database: Database) -> None:
    messages = import_module("db.migrations.versions.0010_messages")
    rows = [(of, line) for of in (1, 2) for line in range(2, messages.BATCH // 2 + 5)]
    with old_database.write() as session:
        session.connection().exec_driver_sql(
            "INSERT INTO rejected_row (import_id, line, reason, content) VALUES (?, ?, 'no text', '')", rows
        )
    upgrade(old_database)
    with old_database.read() as session:
        codes = session.scalars(select(RejectedRow.code)).all()
    assert (len(codes), set(codes)) == (len(rows), {"no_text"})


def test_rounds_of_before_were_started_by_leads_and_no_rule_is_set(old_database: Database) -> None:
    upgrade(old_database)
    with old_database.read() as session:
        rows = session.execute(select(Round.is_automatic, Round.labels_until)).all()
        assert rows == [(False, None)] * 4
        assert session.scalars(select(RoundRule)).all() == []
    with pytest.raises(IntegrityError, match="one_row"), old_database.write() as session:
        session.add(RoundRule(id=2, person_id=1, set_at=NOW))


def test_rounds_of_before_worked_from_start_to_end_unless_a_lead_decided(old_database: Database) -> None:
    with old_database.write() as session:
        session.connection().exec_driver_sql(
            "UPDATE round SET created_at = '2026-01-05 09:00:00.000000', started_at = '2026-01-05 09:10:00.000000',"
            " finished_at = '2026-01-05 09:12:30.000000', decided_by_id = CASE number WHEN 1 THEN NULL ELSE 1 END"
        )
    upgrade(old_database)
    with old_database.read() as session:
        worked = session.execute(select(Round.number, Round.worked_seconds).order_by(Round.number)).all()
    assert dict(worked[:2]) == {1: 150.0, 2: None}  # type: ignore[arg-type]
