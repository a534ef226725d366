"""An import accounts for every row, can be repeated, and leaves nothing when it dies."""

import json
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.queries import newest_posts, unprepared_posts
from db.tables import Guideline, Import, Post, PostFacts, PostText, QueueEntry
from tests.workbench.making import import_texts, ready_queue, write_tsv
from tests.workbench.working import TIMEOUT_SECONDS, running, wait_until
from workbench import imports, labelling
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.facts import thread_key
from workbench.project import Project
from workbench.tsv import open_tsv


def count(project: Project, table: type) -> int:
    with project.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def import_file(project: Project, account: Account, path: Path) -> imports.Receipt:
    with open_tsv(path) as source:
        return imports.import_rows(project, account, source)


def seen_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Posts of each transaction from here on."""
    steps: list[int] = []
    insert = imports._Store._insert

    def see(store: imports._Store, block: imports._Block, rows: slice) -> float:
        steps.append(len(block.posts[rows]))
        return insert(store, block, rows)

    monkeypatch.setattr(imports._Store, "_insert", see)
    return steps


def test_every_row_is_accepted_duplicate_or_rejected(project: Project, lead: Account, tmp_path: Path) -> None:
    file = tmp_path / "posts.tsv"
    file.write_text("id\ttext\tboard\n1\ta\tx\n1\ta\tx\n2\ta\tx\n1\tb\tx\n3\t\tx\n4\n", encoding="utf-8")
    receipt = import_file(project, lead, file)
    assert (receipt.accepted, receipt.duplicates, receipt.rejected) == (2, 1, 3)
    assert [(reject.line, reject.reason) for reject in imports.rejects_of(project, receipt.import_id)] == [
        (5, "id 1 is already known with another text"),
        (6, "no text"),
        (7, "expected 3 columns, found 1"),
    ]
    assert count(project, Post) == count(project, PostText) == count(project, PostFacts) == 2


def test_all_that_is_stored_refers_to_what_exists(project: Project, lead: Account, tmp_path: Path) -> None:
    file = tmp_path / "posts.tsv"
    file.write_text("id\ttext\tboard\n1\ta\tx\n2\tb\t\n3\n", encoding="utf-8")
    import_file(project, lead, file)
    with project.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_the_same_file_twice_changes_nothing(project: Project, lead: Account) -> None:
    first = import_texts(project, lead, ["one", "two"])
    again = import_texts(project, lead, ["one", "two"])
    assert (first.accepted, again.accepted, again.duplicates) == (2, 0, 2)
    assert count(project, Post) == 2


def test_without_ids_the_text_is_the_identity(project: Project, lead: Account, tmp_path: Path) -> None:
    file = write_tsv(tmp_path / "texts.tsv", [{"text": "same"}, {"text": "same"}, {"text": "other"}])
    receipt = import_file(project, lead, file)
    assert (receipt.accepted, receipt.duplicates) == (2, 1)


def test_an_import_that_dies_half_way_leaves_nothing_and_can_be_run_again(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"text {number}" for number in range(10)]
    monkeypatch.setattr(imports, "BLOCK", 3)

    def die(rows: int, _read: int) -> None:
        if rows >= 6:
            raise KeyboardInterrupt

    rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    with open_tsv(write_tsv(project.home / "a.tsv", rows)) as source, pytest.raises(KeyboardInterrupt):
        imports.import_rows(project, lead, source, on_progress=die)
    assert count(project, Post) == count(project, PostText) == 0
    assert import_file(project, lead, project.home / "a.tsv").accepted == 10


def test_what_a_killed_import_left_is_swept_away_by_the_next(project: Project, lead: Account) -> None:
    receipt = import_texts(project, lead, ["one", "two"])
    with project.database.write() as session:
        session.get_one(
            Import, receipt.import_id
        ).state = "storing"  # as if SIGKILL came before the last commit
    assert import_texts(project, lead, ["one", "two", "three"]).accepted == 3
    with project.database.read() as session:
        assert session.scalars(select(Import.state).order_by(Import.id)).all() == ["failed", "stored"]


def test_an_import_killed_half_way_leaves_nothing_that_counts_and_can_be_run_again(
    project: Project, lead: Account
) -> None:
    rows = [{"id": str(number), "text": f"text {number}"} for number in range(3 * imports.BLOCK)]
    file = write_tsv(project.home / "a.tsv", rows)
    run = [sys.executable, "-c", "from workbench.cli import main; main()"]
    command = [*run, "import", str(file), "--home", str(project.home)]
    with running(command) as process:
        wait_until(lambda: count(project, Post) > 0, "the first rows to be stored")
        with project.database.write() as session:  # it cannot go on now
            process.kill()
            process.wait(TIMEOUT_SECONDS)
            assert session.scalars(select(Import.state)).all() == ["storing"]
            assert session.scalars(newest_posts()).all() == session.scalars(unprepared_posts()).all() == []
    assert import_file(project, lead, file).accepted == len(rows)
    assert count(project, Post) == count(project, PostText) == len(rows)
    with project.database.read() as session:
        assert session.scalars(select(Import.state).order_by(Import.id)).all() == ["failed", "stored"]
        assert session.connection().exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


@pytest.mark.parametrize("is_open", [False, True])
def test_rows_are_stored_in_short_steps_only_while_somebody_has_a_post_open(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    ready_queue(project, lead)
    if is_open:
        assert labelling.hold_posts(project, lead)
    monkeypatch.setattr(imports, "FEWEST", 7)
    monkeypatch.setattr(imports, "CHUNK", 7)
    steps = seen_steps(monkeypatch)
    import_texts(project, lead, [f"another {number}" for number in range(30)], start=100)
    assert steps == ([7, 7, 7, 7, 2] if is_open else [30])


def test_while_somebody_else_writes_an_import_is_stored_in_short_steps(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BLOCK", 4)
    monkeypatch.setattr(imports, "FEWEST", 3)
    monkeypatch.setattr(imports, "CHUNK", 3)
    steps = seen_steps(monkeypatch)

    def somebody_writes(_rows: int, _read: int) -> None:
        with project.database.write() as session:
            session.add(Guideline(version=2 + len(steps), text="", created_at=project.now()))

    file = write_tsv(project.home / "a.tsv", [{"text": f"text {number}"} for number in range(8)])
    with open_tsv(file) as source:
        imports.import_rows(project, lead, source, on_progress=somebody_writes)
    assert steps == [4, 3, 1]


def test_a_block_of_long_texts_holds_fewer_rows(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "BLOCK_CHARACTERS", 25)
    steps = seen_steps(monkeypatch)
    receipt = import_texts(project, lead, [letter * 10 for letter in "abcdefg"])
    assert steps == [3, 3, 1]
    assert receipt.accepted == 7


def test_facts_are_stored_letter_for_letter_as_the_rest_of_the_program_writes_them(
    project: Project, lead: Account
) -> None:
    """Searches for an author look into the stored JSON itself."""
    facts = [
        {"版块": "灌水", "作者": 'a"b\\c/é', "tid": "7"},
        {"版块": "灌水", "作者": "😀\u2028\x7f", "tid": " "},
        {"版块": "", "作者": "", "tid": "8"},
    ]
    file = write_tsv(project.home / "a.tsv", [{"text": f"{at}", **told} for at, told in enumerate(facts)])
    import_file(project, lead, file)
    kept = [{name: value for name, value in told.items() if value} for told in facts]
    with project.database.read() as session:
        stored = session.connection().exec_driver_sql("SELECT facts, thread_key FROM post_facts ORDER BY 1")
        assert sorted(map(tuple, stored)) == sorted((json.dumps(told), thread_key(told)) for told in kept)


def test_what_a_killed_import_left_goes_even_where_the_queue_knows_it(
    project: Project, lead: Account
) -> None:
    """A number that was free again may stand in a queue that was planned before."""
    with project.database.write() as session:
        dead = Import(file_name="x", state="storing", encoding="utf-8", columns={}, started_at=project.now())
        session.add(dead)
        session.flush()
        session.add(
            Post(id=99, external_id="z", text_hash=bytes(16), import_id=dead.id, is_quarantined=False)
        )
        session.flush()
        session.add(QueueEntry(post_id=99, lane="random", position=1, is_answered=False))
    import_texts(project, lead, ["a", "b"])
    with project.database.read() as session:
        assert session.scalars(select(Post.external_id)).all() == ["p1", "p2"]
        assert session.scalars(select(QueueEntry.post_id)).all() == []


def test_a_second_import_at_the_same_time_is_refused(project: Project, lead: Account) -> None:
    file = write_tsv(project.home / "a.tsv", [{"text": "a"}])

    def import_another(_rows: int, _read: int) -> None:
        with pytest.raises(InputError, match="Another import is running"):
            import_file(project, lead, file)

    with open_tsv(file) as source:
        assert imports.import_rows(project, lead, source, on_progress=import_another).accepted == 1


def test_annotators_may_not_import(project: Project, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        import_texts(project, ann, ["a"])
    assert count(project, Post) == 0
