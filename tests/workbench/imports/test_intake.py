"""An import accounts for every row, can be repeated, and leaves no rows if it dies."""

import errno
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.tables import Import, Post, PostFacts, PostText
from tests.workbench.making import import_texts, write_tsv
from tests.workbench.working import TIMEOUT_SECONDS, running, wait_until
from trainer.reading.posts import Source
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import NO_FACTS, Row
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError
from workbench.imports import intake
from workbench.imports.facts import thread_key
from workbench.imports.incoming import Block, files_in, folder_of
from workbench.imports.storing import store_waiting
from workbench.imports.tsv import open_tsv
from workbench.project import Project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge


def count(project: Project, table: type) -> int:
    with project.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def import_file(project: Project, account: Account, path: Path) -> intake.Receipt:
    with open_tsv(path) as source:
        return intake.import_rows(project, account, source)


def left_in_files(project: Project) -> list[str]:
    return sorted(path.name for path in (project.data / "incoming").glob("*"))


def test_every_row_is_accepted_duplicate_or_rejected(project: Project, lead: Account, tmp_path: Path) -> None:
    file = tmp_path / "posts.tsv"
    file.write_text("id\ttext\tboard\n1\ta\tx\n1\ta\tx\n2\ta\tx\n1\tb\tx\n3\t\tx\n4\n", encoding="utf-8")
    receipt = import_file(project, lead, file)
    assert (receipt.accepted, receipt.duplicates, receipt.rejected) == (2, 1, 3)
    rejects = intake.rejects_of(project, receipt.import_id)
    assert [(reject.line, reject.code, reject.external_id, str(reject.reason)) for reject in rejects] == [
        (5, RejectCode.OTHER_TEXT, "1", "id 1 is already known with another text"),
        (6, RejectCode.NO_TEXT, "3", "no text"),
        (7, RejectCode.COLUMNS, None, "expected 3 columns, found 1"),
    ]
    assert sorted(receipt.rejects) == rejects
    assert store_waiting(project) == 2
    assert count(project, Post) == count(project, PostText) == count(project, PostFacts) == 2


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
    monkeypatch.setattr(intake, "BLOCK", 3)

    def die(rows: int, _read: int) -> None:
        if rows >= 6:
            raise KeyboardInterrupt

    rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    with open_tsv(write_tsv(project.home / "a.tsv", rows)) as source, pytest.raises(KeyboardInterrupt):
        intake.import_rows(project, lead, source, on_progress=die)
    assert left_in_files(project) == []
    assert import_file(project, lead, project.home / "a.tsv").accepted == 10


def test_an_import_killed_half_way_leaves_nothing_that_counts_and_can_be_run_again(
    project: Project, lead: Account
) -> None:
    rows = [{"id": str(number), "text": f"text {number}"} for number in range(3 * intake.BLOCK)]
    file = write_tsv(project.home / "a.tsv", rows)
    run = [sys.executable, "-c", "from workbench.cli import main; main()"]
    command = [*run, "import", str(file), "--home", str(project.home)]
    with running(command) as process:
        wait_until(lambda: list((project.data / "incoming").rglob("*.arrow")) != [], "the first rows")
        with project.database.write() as session:  # now it cannot finish
            process.kill()
            process.wait(TIMEOUT_SECONDS)
            assert session.scalars(select(Import.state)).all() == ["storing"]
    assert left_in_files(project) != []
    assert store_waiting(project) == 0
    assert import_file(project, lead, file).accepted == len(rows)
    assert left_in_files(project) == ["000002"]
    assert store_waiting(project) == len(rows)
    assert count(project, Post) == count(project, PostText) == len(rows)
    with project.database.read() as session:
        assert session.scalars(select(Import.state).order_by(Import.id)).all() == ["failed", "stored"]
        assert session.connection().exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_an_import_that_dies_before_its_last_transaction_never_was(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(intake, "_finish", die)
        patch.setattr(intake, "sweep", lambda _project: None)  # as after SIGKILL
        with pytest.raises(KeyboardInterrupt):
            import_texts(project, lead, ["one", "two"])
    assert left_in_files(project) == ["000001"]
    assert store_waiting(project) == 0
    assert import_texts(project, lead, ["one", "two", "three"]).accepted == 3
    assert left_in_files(project) == []
    assert count(project, Post) == 3


def test_a_block_of_long_texts_holds_fewer_rows(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BLOCK_CHARACTERS", 25)
    file = write_tsv(project.home / "a.tsv", [{"text": letter * 10} for letter in "abcdefg"])
    receipt = import_file(project, lead, file)
    assert len(files_in(folder_of(project, receipt.import_id))) == 3
    assert receipt.accepted == 7


def test_a_file_without_new_posts_leaves_nothing_behind(project: Project, lead: Account) -> None:
    import_texts(project, lead, ["one"])
    receipt = import_texts(project, lead, ["one"])
    assert (receipt.accepted, receipt.duplicates) == (0, 1)
    assert left_in_files(project) == []


def test_a_disk_without_room_is_told_and_nothing_is_kept(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(_block: Block, _file: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Block, "write", no_room)
    with pytest.raises(InputError, match=r"could not be kept: .*No space left"):
        import_texts(project, lead, ["one"])
    assert left_in_files(project) == []
    with project.database.read() as session:
        assert session.scalars(select(Import.state)).all() == ["failed"]


def test_a_file_that_can_no_longer_be_read_is_told_and_nothing_is_kept(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_tsv(project.home / "a.tsv", [{"text": "one"}, {"text": "two"}])

    def broken(source: Source) -> Iterator[Row | Reject]:
        yield Row(2, None, "one", NO_FACTS)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Source, "__iter__", broken)
    with pytest.raises(InputError, match=r"a.tsv can no longer be read: .*Input/output"):
        import_file(project, lead, file)
    assert left_in_files(project) == []


def test_many_unreadable_rows_leave_gaps_for_others(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(intake, "REJECTS_AT_ONCE", 10)
    monkeypatch.setattr(time, "sleep", slept.append)
    file = project.home / "a.tsv"
    file.write_text("id\ttext\n" + "".join(f"{number}\n" for number in range(35)), encoding="utf-8")
    receipt = import_file(project, lead, file)
    assert len(intake.rejects_of(project, receipt.import_id)) == 35
    assert len([seconds for seconds in slept if seconds > 0]) >= 4


def test_whatever_a_killed_import_left_goes_with_the_next_purge(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_texts(project, lead, ["one"])
    with monkeypatch.context() as patch:
        patch.setattr(intake, "sweep", lambda _project: None)  # as if SIGKILL came
        patch.setattr(intake, "_finish", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            import_texts(project, lead, ["secret"], start=2)
    stray = project.data / "incoming" / ".000007.partial"
    stray.mkdir()
    (stray / "000000.arrow").write_bytes(b"secret")
    assert left_in_files(project) == [".000007.partial", "000002"]
    purge(project, lead, Criterion(post="p1"), is_dry=False)
    assert left_in_files(project) == []


def test_facts_are_stored_letter_for_letter_as_the_rest_of_the_program_writes_them(
    project: Project, lead: Account
) -> None:
    """Author searches compare the stored JSON text itself."""
    facts = [
        {"版块": "灌水", "作者": 'a"b\\c/é', "tid": "7"},
        {"版块": "灌水", "作者": "😀\u2028\x7f", "tid": " "},
        {"版块": "", "作者": "", "tid": "8"},
    ]
    file = write_tsv(project.home / "a.tsv", [{"text": f"{at}", **row} for at, row in enumerate(facts)])
    import_file(project, lead, file)
    store_waiting(project)
    non_empty = [{name: value for name, value in row.items() if value} for row in facts]
    with project.database.read() as session:
        stored = session.connection().exec_driver_sql("SELECT facts, thread_key FROM post_facts ORDER BY 1")
        assert sorted(map(tuple, stored)) == sorted((json.dumps(row), thread_key(row)) for row in non_empty)


def test_a_second_import_at_the_same_time_is_refused(project: Project, lead: Account) -> None:
    file = write_tsv(project.home / "a.tsv", [{"text": "a"}])

    def import_another(_rows: int, _read: int) -> None:
        with pytest.raises(InputError, match="Another import is running"):
            import_file(project, lead, file)

    with open_tsv(file) as source:
        assert intake.import_rows(project, lead, source, on_progress=import_another).accepted == 1


def test_annotators_may_not_import(project: Project, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        import_texts(project, ann, ["a"])
    assert count(project, Post) == 0
