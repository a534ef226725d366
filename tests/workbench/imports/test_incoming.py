"""Rows that an import leaves in files are stored once, in steps, by the first process that gets the lock."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy import func, select

from db.tables import AuditEntry, Guideline, Import, Post, PostFacts, PostText
from tests.workbench.making import different_texts, ready_queue, write_tsv
from tests.workbench.team import member
from trainer.reading.rejects import RejectCode
from trainer.reading.rows import plain_id
from workbench import cli
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError, WorkbenchError
from workbench.imports import incoming, intake, storing
from workbench.imports.incoming import Block, WaitingPosts, files_in, folder_of
from workbench.imports.preparing import prepare
from workbench.imports.storing import Rest, store_the_rest, store_waiting
from workbench.imports.tsv import open_tsv
from workbench.labelling import answers, label_files
from workbench.labelling.files.checking import Checked
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.files.source import LabelFile
from workbench.posts.counting import count_posts, count_preparing
from workbench.posts.search import Filter, find
from workbench.project import Project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge


def take_in(project: Project, account: Account, texts: Sequence[str], *, start: int = 1) -> intake.Receipt:
    """Imports posts without storing them."""
    rows = [{"id": f"p{number}", "text": text} for number, text in enumerate(texts, start=start)]
    with open_tsv(write_tsv(project.home / f"posts-{start}.tsv", rows)) as source:
        return intake.import_rows(project, account, source)


def stored(project: Project) -> list[tuple[int, str, str]]:
    query = select(Post.id, Post.external_id, PostText.text).join(PostText, PostText.post_id == Post.id)
    with project.database.read() as session:
        return [(row.id, row.external_id, row.text) for row in session.execute(query.order_by(Post.id))]


def seen_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of posts in each later transaction."""
    steps: list[int] = []
    step = storing._Store._step

    def see(store: storing._Store, import_id: int, rows: storing._Rows, start: int, waiting: int) -> int:
        steps.append(step(store, import_id, rows, start, waiting))
        return steps[-1]

    monkeypatch.setattr(storing._Store, "_step", see)
    return steps


@given(some.text(some.sampled_from("ab \t\v\f\x1c\x1d\x1e\x85\u2028\u2029\r\n")))
def test_an_id_is_one_line_for_every_reader_and_otherwise_as_it_was(text: str) -> None:
    plain = plain_id(text)
    assert len(plain.splitlines()) <= 1
    assert plain_id(plain) == plain
    assert [letter for letter in plain if letter in "ab \t"] == [
        letter for letter in text if letter in "ab \t"
    ]


def test_a_post_is_stored_and_found_again_without_line_separators_in_its_id(
    project: Project, lead: Account
) -> None:
    one, two = different_texts(2)
    rows = [{"id": "a\u2028b", "text": one}, {"id": "c\x85d\ve", "text": two}]
    for expected in (2, 0):
        with open_tsv(write_tsv(project.home / "x.tsv", rows)) as source:
            receipt = intake.import_rows(project, lead, source)
        assert (receipt.accepted, receipt.accepted + receipt.duplicates) == (expected, 2)
    store_waiting(project)
    assert [external_id for _, external_id, _ in stored(project)] == ["ab", "cde"]
    labels = write_tsv(project.home / "labels.tsv", [{"id": "a\u2028b", "label": "violation"}])
    prepare(project)
    label_files.import_labels(project, lead, labels, mapping=parse_map(None))
    assert purge(project, lead, Criterion(post="a\u2028b"), is_dry=False).counts["annotations"] == 1
    assert [external_id for _, external_id, _ in stored(project)] == ["cde"]


def test_an_import_leaves_its_posts_beside_the_database_and_they_count(
    project: Project, lead: Account
) -> None:
    receipt = take_in(project, lead, ["one", "two"])
    assert stored(project) == []
    with project.database.read() as session:
        assert (count_posts(session), count_preparing(session)) == (2, 2)
    assert find(project, lead, Filter()).is_partial
    assert store_waiting(project) == 2
    assert not find(project, lead, Filter()).is_partial
    assert stored(project) == [(1, "p1", "one"), (2, "p2", "two")]
    assert not folder_of(project, receipt.import_id).exists()
    with project.database.read() as session:
        assert (count_posts(session), count_preparing(session)) == (2, 2)
    assert prepare(project) == 2
    with project.database.read() as session:
        assert count_preparing(session) == 0
        assert session.scalar(select(Import.state)) == "prepared"


def test_posts_keep_the_order_of_their_file_and_of_the_imports(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BLOCK", 3)
    texts = [f"text {number}" for number in range(10)]
    take_in(project, lead, texts[:7])
    take_in(project, lead, texts[7:], start=8)
    assert store_waiting(project) == 10
    assert stored(project) == [(number, f"p{number}", text) for number, text in enumerate(texts, start=1)]


def test_what_waits_is_known_to_the_next_import(project: Project, lead: Account) -> None:
    take_in(project, lead, ["one", "two"])
    again = take_in(project, lead, ["one", "other", "three"])
    assert (again.accepted, again.duplicates, again.rejected) == (1, 1, 1)
    assert [(reject.code, reject.external_id) for reject in again.rejects] == [(RejectCode.OTHER_TEXT, "p2")]
    store_waiting(project)
    assert [text for _number, _name, text in stored(project)] == ["one", "two", "three"]


@pytest.mark.parametrize("killed_after", [1, 2, 3])
def test_killed_half_way_it_goes_on_where_it_was(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    monkeypatch.setattr(intake, "BLOCK", 4)
    receipt = take_in(project, lead, [f"text {number}" for number in range(10)])
    steps = 0
    commit = storing.checkpoint

    def die(connection: object) -> None:
        nonlocal steps
        steps += 1
        if steps == killed_after:
            raise KeyboardInterrupt
        commit(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(storing, "checkpoint", die)
    with pytest.raises(KeyboardInterrupt):
        store_waiting(project)
    assert len(stored(project)) == min(10, 4 * killed_after)
    assert folder_of(project, receipt.import_id).exists()
    assert store_waiting(project) == 10 - min(10, 4 * killed_after)
    assert [name for _number, name, _text in stored(project)] == [f"p{number}" for number in range(1, 11)]
    assert not folder_of(project, receipt.import_id).exists()


def test_two_at_once_store_every_post_once(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any interleaving."""
    monkeypatch.setattr(intake, "BLOCK", 3)
    monkeypatch.setattr(storing, "MOST_AT_ONCE", 2)
    for start in (1, 11, 21):
        take_in(project, lead, [f"text {start + number}" for number in range(7)], start=start)
    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda _at: store_waiting(project), range(3))) == 21
    assert len(stored(project)) == 21
    assert list((project.data / "incoming").iterdir()) == []


@pytest.mark.parametrize("is_open", [False, True])
def test_posts_are_stored_in_short_steps_only_while_somebody_has_a_post_open(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, is_open: bool
) -> None:
    ready_queue(project, lead)
    if is_open:
        assert answers.hold_posts(project, lead)
    take_in(project, lead, [f"another {number}" for number in range(30)], start=100)
    monkeypatch.setattr(storing, "FEWEST", 7)
    monkeypatch.setattr(storing, "CHUNK", 7)
    steps = seen_steps(monkeypatch)
    store_waiting(project)
    assert steps == ([7, 7, 7, 7, 2] if is_open else [30])


def test_while_somebody_else_writes_posts_are_stored_in_short_steps(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BLOCK", 4)
    take_in(project, lead, [f"text {number}" for number in range(8)])
    monkeypatch.setattr(storing, "FEWEST", 3)
    monkeypatch.setattr(storing, "CHUNK", 3)
    home, steps = storing.checkpoint, seen_steps(monkeypatch)

    def somebody_writes(connection: object) -> None:
        with project.database.write() as session:
            session.add(Guideline(version=2 + len(steps), text="", created_at=project.now()))
        home(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(storing, "checkpoint", somebody_writes)
    store_waiting(project)
    assert steps == [4, 3, 1]


def test_all_that_is_stored_refers_to_what_exists(project: Project, lead: Account, tmp_path: Path) -> None:
    file = tmp_path / "posts.tsv"
    file.write_text("id\ttext\tboard\n1\ta\tx\n2\tb\t\n3\n", encoding="utf-8")
    with open_tsv(file) as source:
        intake.import_rows(project, lead, source)
    store_waiting(project)
    with project.database.read() as session:
        assert session.scalars(select(PostFacts.post_id)).all() == [1]
    with project.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []


def test_a_purge_finds_what_waits_and_numbers_are_not_given_twice(project: Project, lead: Account) -> None:
    take_in(project, lead, ["one", "two", "three"])
    purged = purge(project, lead, Criterion(post="p3"), is_dry=False)
    assert purged.counts["posts"] == 1
    assert [name for _number, name, _text in stored(project)] == ["p1", "p2"]
    take_in(project, lead, ["three"], start=3)
    store_waiting(project)
    assert stored(project)[-1] == (4, "p3", "three")


@pytest.mark.parametrize("left", [None, b"", 100], ids=["gone", "empty", "cut off"])
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_an_import_that_lacks_rows_is_told_and_keeps_no_other_waiting(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, lost: int, left: bytes | int | None
) -> None:
    """For any missing rows, with and without some of them stored."""
    monkeypatch.setattr(intake, "BLOCK", 2)
    monkeypatch.setattr(storing, "MOST_AT_ONCE", 2)
    receipt = take_in(project, lead, [f"text {number}" for number in range(6)])
    take_in(project, lead, ["another"], start=7)
    commit = storing.checkpoint

    def die(_connection: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(storing, "checkpoint", die)
    with pytest.raises(KeyboardInterrupt):
        store_waiting(project)
    monkeypatch.setattr(storing, "checkpoint", commit)
    files = files_in(folder_of(project, receipt.import_id))
    rows = files[lost].read_bytes()
    if left is None:
        files[lost].unlink()
    else:
        files[lost].write_bytes(left if isinstance(left, bytes) else rows[:left])
    with pytest.raises(WorkbenchError, match="holds 4 of the 6 rows"):
        prepare(project)
    assert [name for _number, name, _text in stored(project)] == ["p1", "p2", "p7"]
    with project.database.read() as session:
        assert session.scalars(select(Import.state).order_by(Import.id)).all() == ["stored", "prepared"]
        assert count_preparing(session) == 4
    assert take_in(project, lead, ["another"], start=7).duplicates == 1  # other imports work
    files[lost].write_bytes(rows)  # restored from a backup
    prepare(project)
    assert len(stored(project)) == 7


def lose_the_middle_of_an_import(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> tuple[intake.Receipt, Path, bytes]:
    """Six rows in three files, the second one deleted: returns the import, the file and its content."""
    monkeypatch.setattr(intake, "BLOCK", 2)
    receipt = take_in(project, lead, [f"text {number}" for number in range(6)])
    file = files_in(folder_of(project, receipt.import_id))[1]
    rows = file.read_bytes()
    file.unlink()
    return receipt, file, rows


def test_an_import_can_do_without_the_rows_it_lacks_and_they_can_come_again(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, *_ = lose_the_middle_of_an_import(project, lead, monkeypatch)
    with pytest.raises(WorkbenchError, match=f"workbench store-rest {receipt.import_id}"):
        prepare(project)
    assert store_the_rest(project, lead, receipt.import_id, is_dry=False) == Rest(stored=4, lost=2)
    assert [name for _number, name, _text in stored(project)] == ["p1", "p2", "p5", "p6"]
    prepare(project)
    with project.database.read() as session:
        row = session.get_one(Import, receipt.import_id)
        assert (row.state, row.accepted, row.waiting, row.failure) == ("prepared", 4, 0, None)
    again = take_in(project, lead, [f"text {number}" for number in range(6)])
    assert (again.accepted, again.duplicates) == (2, 4)
    prepare(project)
    numbers = [number for number, _name, _text in stored(project)]
    assert len(numbers) == len(set(numbers)) == 6
    assert not folder_of(project, receipt.import_id).exists()


def test_rows_that_came_again_before_they_were_put_back_are_told_of_and_stored_once(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, file, rows = lose_the_middle_of_an_import(project, lead, monkeypatch)
    assert take_in(project, lead, [f"text {number}" for number in range(6)]).accepted == 2
    with pytest.raises(WorkbenchError):
        prepare(project)
    file.write_bytes(rows)
    with pytest.raises(WorkbenchError, match="were imported again before it was stored"):
        prepare(project)
    assert store_the_rest(project, lead, receipt.import_id, is_dry=False) == Rest(stored=2, lost=2)
    prepare(project)
    assert sorted(text for _number, _name, text in stored(project)) == [f"text {at}" for at in range(6)]


@pytest.mark.parametrize("spoilt", [b"\xff", b"\x00"])
def test_a_file_that_is_spoilt_inside_stops_no_other_import_and_can_be_done_without(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, spoilt: bytes
) -> None:
    """Bytes that are not text are skipped; ids that became equal are stored once."""
    receipt, file, rows = lose_the_middle_of_an_import(project, lead, monkeypatch)
    names = b"p3p4"
    assert names in rows
    file.write_bytes(rows.replace(names, len(names) * spoilt))
    take_in(project, lead, ["another"], start=9)
    with pytest.raises(WorkbenchError, match=f"workbench store-rest {receipt.import_id}"):
        prepare(project)
    assert "p9" in {name for _number, name, _text in stored(project)}
    store_the_rest(project, lead, receipt.import_id, is_dry=False)
    prepare(project)
    ids = [name for _number, name, _text in stored(project)]
    assert {"p1", "p2", "p5", "p6", "p9"} <= set(ids)
    assert len(ids) == len(set(ids))


def test_what_would_be_given_up_can_be_seen_before(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, file, rows = lose_the_middle_of_an_import(project, lead, monkeypatch)
    assert store_the_rest(project, lead, receipt.import_id) == Rest(stored=4, lost=2)
    assert stored(project) == []
    file.write_bytes(rows)
    prepare(project)  # unchanged
    assert len(stored(project)) == 6


@pytest.mark.parametrize("steps", [0, 1])
def test_doing_without_rows_is_finished_once_it_was_begun(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """If restored half-way, the rows would be stored under numbers counted for others."""
    receipt, file, rows = lose_the_middle_of_an_import(project, lead, monkeypatch)
    step, done = storing._Store._step, []

    def killed(store: storing._Store, *given: Any) -> int:
        if len(done) == steps:
            raise KeyboardInterrupt
        done.append(step(store, *given))
        return done[-1]

    with monkeypatch.context() as patch:
        patch.setattr(storing._Store, "_step", killed)
        with pytest.raises(KeyboardInterrupt):
            store_the_rest(project, lead, receipt.import_id, is_dry=False)
    file.write_bytes(rows)
    with pytest.raises(WorkbenchError, match=f"Finish it: workbench store-rest {receipt.import_id}"):
        prepare(project)
    assert store_the_rest(project, lead, receipt.import_id, is_dry=False).lost == 0
    prepare(project)
    assert sorted(text for _number, _name, text in stored(project)) == [f"text {at}" for at in range(6)]


def test_killed_after_the_last_row_it_is_told_of_when_it_is_run_again(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, file, rows = lose_the_middle_of_an_import(project, lead, monkeypatch)
    file.write_bytes(rows)
    what_is_left = storing._Store.what_is_left

    def killed(store: storing._Store, *given: Any) -> int:
        what_is_left(store, *given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(storing._Store, "what_is_left", killed)
        with pytest.raises(KeyboardInterrupt):
            store_the_rest(project, lead, receipt.import_id, is_dry=False)
    assert store_the_rest(project, lead, receipt.import_id, is_dry=False) == Rest(stored=0, lost=0)
    with project.database.read() as session:
        written = session.scalars(select(AuditEntry).where(AuditEntry.action == "store the rest")).all()
        assert len(written) == 1
    assert len(stored(project)) == 6


def test_the_command_says_what_was_stored_and_what_was_given_up(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    receipt, *_ = lose_the_middle_of_an_import(project, lead, monkeypatch)
    command = ["workbench", "store-rest", str(receipt.import_id), "--yes", "--home", str(project.home)]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert "4 posts stored, 2 rows given up." in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    output = capsys.readouterr().err
    assert f"error: None of the rows of import {receipt.import_id} wait to be stored." in output
    assert "Traceback" not in output


def test_only_rows_that_wait_can_be_given_up_and_only_by_who_may_import(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, *_ = lose_the_middle_of_an_import(project, lead, monkeypatch)
    annotator = member(project, "Ann", "annotator")
    with pytest.raises(NotAllowedError):
        store_the_rest(project, annotator, receipt.import_id, is_dry=False)
    for number in (receipt.import_id + 1, store_rest_of(project, lead, receipt.import_id)):
        with pytest.raises(InputError, match=f"None of the rows of import {number} wait"):
            store_the_rest(project, lead, number, is_dry=False)


def store_rest_of(project: Project, lead: Account, number: int) -> int:
    store_the_rest(project, lead, number, is_dry=False)
    return number


def test_no_label_lands_on_a_post_that_came_in_between(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While labels are imported, another import is refused."""
    look, tried = label_files.check, []

    def then_another(its: Project, file: LabelFile, *, is_partial: bool) -> Checked:
        checked = look(its, file, is_partial=is_partial)
        with pytest.raises(InputError, match="Another import is running"):
            take_in(its, lead, ["harmless"])
        tried.append(True)
        return checked

    monkeypatch.setattr(label_files, "check", then_another)
    file = write_tsv(project.home / "labels.tsv", [{"id": "p1", "text": "violent", "label": "violation"}])
    label_files.import_labels(project, lead, file, mapping=parse_map(None))
    assert tried
    assert stored(project) == [(1, "p1", "violent")]


def test_a_post_that_is_stored_while_the_next_import_reads_stays_a_duplicate(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in(project, lead, ["one", "two"])
    of = WaitingPosts.of

    def then_stored(its: Project) -> WaitingPosts:
        waiting = of(its)
        store_waiting(its)
        return waiting

    monkeypatch.setattr(WaitingPosts, "of", then_stored)
    again = take_in(project, lead, ["one", "two", "three"])
    assert (again.accepted, again.duplicates) == (1, 2)


NAMES = some.lists(some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=3), unique=True)


@settings(max_examples=50, deadline=None)
@given(blocks=some.lists(NAMES.filter(bool), max_size=6), asked=NAMES, is_blind=some.booleans())
def test_waiting_posts_are_found_by_their_ids_alone(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[str]], asked: list[str], is_blind: bool
) -> None:
    """Also with equal hashes."""
    folder, waiting, truth = tmp_path_factory.mktemp("blocks"), WaitingPosts(), dict[str, str]()
    with pytest.MonkeyPatch.context() as patch:
        if is_blind:
            patch.setattr(incoming, "_hashes", lambda names: np.zeros(len(names), np.int64))
        for number, names in enumerate(blocks):
            new = [name for name in names if name not in truth]
            texts = [f"{number} {name}" for name in new]
            Block(new, texts, [None] * len(new), [None] * len(new)).write(folder / f"{number}.arrow")
            waiting.add(folder / f"{number}.arrow", new)
            truth |= dict(zip(new, texts, strict=True))
        for names in (asked, list(truth)):
            assert waiting.texts_of(names) == {name: truth[name] for name in names if name in truth}


def test_many_posts_are_stored_as_they_were(project: Project, lead: Account) -> None:
    texts = different_texts(300, length=40)
    take_in(project, lead, texts)
    store_waiting(project)
    assert [text for _number, _name, text in stored(project)] == texts
    with project.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Post)) == 300
