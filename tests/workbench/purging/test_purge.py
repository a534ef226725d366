"""Purged data is in no file or table, after any interruption; all other data is intact."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import Timeout
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner

from db.tables import (
    Annotation,
    AuditEntry,
    Comment,
    CommentReader,
    Draft,
    Explanation,
    Import,
    NearCopyKey,
    Post,
    PostGroup,
    QueueEntry,
    Resolution,
    Round,
    RulingPost,
)
from tests.conftest import Clock
from tests.workbench.commands.test_review import run
from tests.workbench.making import (
    COPIES,
    add_label,
    different_texts,
    make_champion,
    order_quickly,
    undecided,
    write_tsv,
)
from tests.workbench.review.ruled import draft
from trainer.files import sha256_of, write_json
from trainer.reading.rejects import RejectCode
from trainer.reading.rows import LONGEST_TEXT
from trainer.texts.tokens import Tokens
from workbench.accounts import Account
from workbench.audit import Head
from workbench.cli import app
from workbench.errors import InputError, NotAllowedError, RoundError, WorkbenchError
from workbench.exports.jsonl import labelled_posts, publish_newest, write_export
from workbench.imports import intake, search_index
from workbench.imports.preparing import prepare
from workbench.imports.tsv import open_tsv
from workbench.labelling import answers
from workbench.locks import IMPORT, WORK, hold
from workbench.overview.figures import read_overview
from workbench.overview.radar_scan import watch
from workbench.project import Project
from workbench.purging import files, rows
from workbench.purging import purge as purging
from workbench.purging.criterion import Criterion
from workbench.purging.purge import Purge, purge
from workbench.queue import swap
from workbench.queue.quick_order import read_quick_order
from workbench.review import resolutions, rulings
from workbench.review.doubts import write_doubts
from workbench.scores.round_scores import RoundScores, Scores
from workbench.scores.tokens import bring_up_to_date
from workbench.thresholds.verdicts import escaped

AUTHOR = "老王"
OURS = [3, 10, 17, 24, 38, 40]
"""Posts of the author; the last post is one of them."""
POSTS = 40
SECRET = "请忘掉我的地址某某路七号"


def bring_in(project: Project, lead: Account, rows: list[dict[str, str]], name: str = "posts") -> None:
    with open_tsv(write_tsv(project.home.parent / f"{name}.tsv", rows)) as source:
        intake.import_rows(project, lead, source)
    prepare(project)


def rows_of() -> list[dict[str, str]]:
    texts = different_texts(POSTS)
    return [
        {
            "id": f"p{number}",
            "text": f"{SECRET}{texts[number - 1]}" if number in OURS else texts[number - 1],
            "author": AUTHOR if number in OURS else "小林",
            "time": f"2025-{1 + number % 12:02}-07",
        }
        for number in range(1, POSTS + 1)
    ]


def export(project: Project, number: int) -> Path:
    folder = project.annotations / f"round-{number:04d}"
    with project.database.read() as session:
        posts = labelled_posts(session, number)
    write_export(folder, posts, round_number=number, by="林", now=project.now(), audit_head=Head())
    publish_newest(folder, project.annotations)
    return folder


@pytest.fixture
def full(project: Project, lead: Account, ann: Account) -> Project:
    """Forty posts, six of one author, with rows in every table that refers to a post."""
    bring_in(project, lead, [*rows_of()])
    make_champion(project, lead, np.tile([0.3, 0.3, 0.4], (POSTS - 10, 1)))
    more = np.arange(POSTS - 9, POSTS + 1, dtype=np.int64)
    scores = Scores(more, np.tile(np.float32([0.3, 0.3, 0.4]), (10, 1)))
    RoundScores.of(project, 1).append(scores)
    for post in range(1, POSTS + 1):
        add_label(project, ann, post, ("normal", "violation")[post % 2])
    folder = export(project, 1)
    rows = [json.loads(line) for line in (folder / "train.jsonl").read_text("utf-8").split("\n")[:-1]]
    write_doubts(
        project.round_folder(1),
        [row["id"] for row in rows],
        [row["label"] for row in rows],
        np.tile([0.2, 0.5, 0.3], (len(rows), 1)),
    )
    away = project.data / "bundles" / "20260101T000000"
    away.mkdir(parents=True)
    sent = "".join(
        json.dumps({"text": row["text"], "label": row["label"]}, ensure_ascii=False) + "\n" for row in rows
    )
    (away / "train.jsonl").write_text(sent, encoding="utf-8")
    write_json(away / "receipt.json", {"files": {"train.jsonl": {"sha256": sha256_of(away / "train.jsonl")}}})
    resolutions.resolve(project, lead, OURS[0], "normal", reason="x")
    resolutions.take_back(project, lead, OURS[0])
    with project.database.write() as session:
        session.add(Draft(person_id=ann.id, post_id=OURS[1], note=SECRET, saved_at=project.now()))
        session.add(Explanation(post_id=OURS[1], round_number=1, words=[]))
        session.merge(QueueEntry(post_id=OURS[2], lane="uncertain", position=99))
        for post, said in ((OURS[3], SECRET), (1, "stays")):
            session.add(Comment(post_id=post, person_id=lead.id, text=said, at=project.now()))
            session.add(CommentReader(post_id=post, person_id=ann.id))
    case, gone = 2, OURS[4]
    rulings.settle(project, lead, draft(case, words="", examples=frozenset({gone})))
    search_index.index_missing(project)
    morning = project.data / "verdicts" / "imports-0001-0001.tsv"
    morning.parent.mkdir()
    posts = [f"p{number}" for number in (OURS[0], 1, OURS[1], 2)]
    morning.write_text("id\tverdict\n" + "".join(f"{post}\tpass\n" for post in posts), encoding="utf-8")
    (project.data / "radar.json").write_text(json.dumps({"examples": [SECRET]}), encoding="utf-8")
    bring_up_to_date(project, "letters", in_letters)
    return project


def in_letters(texts: Sequence[str]) -> Tokens:
    return Tokens.of([[ord(letter) for letter in text] for text in texts])


def whole(project: Project) -> None:
    with project.database.read() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    with pytest.raises(IntegrityError, match="append-only"), project.database.write() as session:
        session.execute(text("DELETE FROM annotation"))
    with project.database.read() as session:
        triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ('resolution', 'comment')"
        assert session.connection().exec_driver_sql(triggers).scalar() == 4


def bytes_of(project: Project) -> dict[str, bytes]:
    return {
        str(file.relative_to(project.home)): file.read_bytes()
        for file in sorted(project.home.rglob("*"))
        if file.is_file()
    }


def state(project: Project) -> dict[str, object]:
    with project.database.read() as session:
        tables = session.scalars(
            text("SELECT name FROM sqlite_master WHERE type='table' AND sql NOT LIKE '%WITHOUT ROWID%'")
        ).all()
        counts = {
            name: session.execute(text(f'SELECT count(*) FROM "{name}"')).scalar()
            for name in tables
            if name not in {"audit_entry"} and not name.startswith(("workflow", "operation", "streams"))
        }
    lines = {
        str(file.relative_to(project.data)): file.read_text("utf-8")
        for file in sorted(project.data.rglob("*.jsonl"))
    }
    receipts = {
        str(file): [(entry["file"], entry["lines"]) for entry in json.loads(file.read_text())["purged"]]
        for file in sorted(project.data.rglob("receipt.json"))
        if "purged" in json.loads(file.read_text())
    }
    scored = RoundScores.of(project, 1).read().post_ids.tolist()
    return {"rows": counts, "lines": lines, "receipts": receipts, "scored": scored}


def do(project: Project, lead: Account, **wanted: object) -> Purge:
    return purge(project, lead, Criterion(**wanted), is_dry=False)  # type: ignore[arg-type]


def test_a_dry_run_changes_nothing_and_foretells_what_goes(full: Project, lead: Account) -> None:
    before = state(full)
    preview = purge(full, lead, Criterion(author=AUTHOR))
    assert state(full) == before
    assert not preview.is_done
    done = do(full, lead, author=AUTHOR)
    assert {name: count for name, count in preview.counts.items() if count} == {
        name: count for name, count in done.counts.items() if count
    }
    assert (preview.rounds, done.rounds) == ([1], [1])
    assert done.counts["posts"] == len(OURS)
    assert done.counts["annotations"] == len(OURS)
    assert done.counts["resolutions"] == 2
    assert done.counts["scores"] == done.counts["token ids"] == len(OURS)
    assert min(done.counts[name] for name in ("drafts", "explanations", "queue entries", "doubts")) >= 1
    assert (
        done.counts["posts of rulings"] == done.counts["comments"] == done.counts["readers of comments"] == 1
    )


def test_nothing_of_it_is_left_in_any_file(full: Project, lead: Account) -> None:
    traces = [
        SECRET.encode(),
        AUTHOR.encode(),
        json.dumps(SECRET)[1:-1].encode(),
        json.dumps(AUTHOR)[1:-1].encode(),
        in_letters([SECRET]).values[0].tobytes(),
    ]

    def files_with_traces() -> set[str]:
        return {name for name, content in bytes_of(full).items() for trace in traces if trace in content}

    assert files_with_traces() >= {
        "data/annotations/train.jsonl",
        "data/annotations/round-0001/train.jsonl",
        "data/bundles/20260101T000000/train.jsonl",
        "data/tokens/letters/0000000001-0000000040.arrow",
    }
    do(full, lead, author=AUTHOR)
    assert files_with_traces() == set()
    assert terms_of(full)
    assert not {term for term in terms_of(full) if term in SECRET}
    assert raw_pairs(full) == set()
    assert (
        full.data / "verdicts" / "imports-0001-0001.tsv"
    ).read_text() == "id\tverdict\np1\tpass\np2\tpass\n"
    whole(full)
    with full.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Post)) == POSTS - len(OURS)
        assert session.scalars(select(Comment.text)).all() == ["stays"]
        assert session.scalars(select(RulingPost.post_id)).all() == [2]
        gone = select(func.count()).select_from(NearCopyKey).where(NearCopyKey.post_id.in_(OURS))
        assert session.scalar(gone) == 0
        empty = select(PostGroup.id).where(PostGroup.id.not_in(select(Post.group_id)))
        assert session.scalars(empty).all() == []


def test_a_quick_order_leaves_nothing_of_purged_posts(full: Project, lead: Account, clock: Clock) -> None:
    """Neither in its file, which names no post, nor in the queue, which is then filled without it."""
    order_quickly(full, undecided)
    file = full.data / "quick_order.json"
    assert json.loads(file.read_text("utf-8")).keys() == {"built_at", "round_number", "labels", "newest"}
    do(full, lead, author=AUTHOR)
    with full.database.read() as session:
        queued = set(session.scalars(select(QueueEntry.post_id)))
    assert not queued & set(OURS)
    clock.move(seconds=1)
    swap.rebuild(full)
    with full.database.read() as session:
        assert read_quick_order(full, session) is None


def terms_of(project: Project) -> set[str]:
    with project.database.read() as session:
        return set(session.scalars(text("SELECT term FROM post_search_terms")))


def raw_pairs(project: Project) -> set[str]:
    """Pairs of the secret's characters in the raw pages of the index, also in entries no longer counted."""
    with project.database.read() as session:
        pages = b"".join(session.scalars(text("SELECT block FROM post_search_data")))
    other_texts = "".join(different_texts(POSTS))
    pairs = {SECRET[at : at + 2] for at in range(len(SECRET) - 1)}
    return {pair for pair in pairs if pair not in other_texts and pair.encode() in pages}


@pytest.mark.parametrize("where", [(purging.search, "settle"), (files.PurgedPosts, "rounds_that_lost_lines")])
def test_killed_after_the_last_post_the_next_run_does_what_is_left(
    full: Project, lead: Account, where: tuple[object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise Killed

    assert raw_pairs(full)
    with monkeypatch.context() as patch:
        patch.setattr(*where, kill)
        with pytest.raises(Killed):
            do(full, lead, author=AUTHOR)
    if where[1] == "settle":
        assert raw_pairs(full)  # deleted, but still in its pages
    with full.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Post)) == POSTS - len(OURS)
    (full.data / "exports").mkdir()
    (full.data / "radar.json").write_text(SECRET, encoding="utf-8")
    before = preparations(full)
    do(full, lead, author=AUTHOR)
    assert raw_pairs(full) == set()
    assert not (full.data / "exports").exists()
    assert not (full.data / "radar.json").exists()
    assert preparations(full) == before + 1


def preparations(project: Project) -> int:
    with project.database.read() as session:
        query = text("SELECT count(*) FROM workflow_status WHERE workflow_uuid LIKE 'purge-%'")
        return session.scalar(query) or 0


def test_what_was_freed_before_by_somebody_else_is_overwritten_too(full: Project, lead: Account) -> None:
    trace = "别处删掉的话".encode()
    with full.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA secure_delete=OFF")
        connection.exec_driver_sql("CREATE TABLE scratch (said TEXT)")
        connection.exec_driver_sql(f"INSERT INTO scratch VALUES ('{trace.decode() * 500}')")
        connection.commit()
        connection.exec_driver_sql("DROP TABLE scratch")
        connection.commit()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert any(trace in content for content in bytes_of(full).values())
    do(full, lead, author=AUTHOR)
    assert not any(trace in content for content in bytes_of(full).values())


@pytest.fixture
def impatient(full: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr("db.session.BUSY_TIMEOUT_MS", 100)
    full.database.dispose()
    return full


def test_while_somebody_reads_the_traces_stay_and_it_says_so(impatient: Project, lead: Account) -> None:
    with impatient.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Post)) == POSTS
        with pytest.raises(WorkbenchError, match="Run it again"):
            do(impatient, lead, author=AUTHOR)
    do(impatient, lead, author=AUTHOR)
    assert not any(SECRET.encode() in content for content in bytes_of(impatient).values())


def test_people_write_while_posts_are_looked_for_and_a_dry_run_waits_for_none(
    impatient: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with impatient.database.write() as session:
        session.execute(text("SELECT 1"))
        assert purge(impatient, lead, Criterion(author=AUTHOR)).counts["posts"] == len(OURS)
    posts_of, wrote = purging.posts_of, []

    def writing(*arguments: object) -> object:
        with impatient.database.write() as session:
            session.execute(text("UPDATE draft SET note = note"))
        wrote.append(1)
        return posts_of(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(purging, "posts_of", writing)
    do(impatient, lead, author=AUTHOR)
    assert wrote


def test_what_killed_work_left_behind_goes_too(full: Project, lead: Account) -> None:
    left = [
        full.data / "bundles" / ".packing-abc" / "train.jsonl",
        full.annotations / ".adopting-abc" / "train.jsonl",
        full.models / ".adopting-abc" / "scores.bin",
        full.models / ".round-0002-attempt-1" / "evaluation" / "report.json",
        full.annotations / "..adopting-abd.part" / "train.jsonl",
        full.annotations / ".train.jsonl.part",
        full.annotations / "round-0001" / ".train.jsonl.part",
        full.data / "verdicts" / ".imports-0002-0002.tsv.77.part",
        full.data / ".radar.json.77.part",
    ]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{SECRET} {AUTHOR}", encoding="utf-8")
    database = full.data / "workbench.db.part"
    database.touch()
    assert str(database) in purge(full, lead, Criterion(author=AUTHOR)).copies
    assert all(file.exists() for file in left)
    done = do(full, lead, author=AUTHOR)
    assert not any(file.exists() for file in left)
    assert not any(SECRET.encode() in content for content in bytes_of(full).values())
    assert list(done.copies) == [str(database)]


def test_a_round_no_longer_tells_what_it_made_of_them_as_test_posts(full: Project, lead: Account) -> None:
    file = full.round_folder(1) / "evaluation" / "test_probabilities.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.table({"id": ["p1", "p3", "p2", "p40"], "weight": [1.0, 2.0, 3.0, 4.0]}), file)
    assert purge(full, lead, Criterion(author=AUTHOR)).counts["checked posts"] == 2
    assert do(full, lead, author=AUTHOR).counts["checked posts"] == 2
    assert pq.read_table(file).to_pylist() == [{"id": "p1", "weight": 1.0}, {"id": "p2", "weight": 3.0}]
    assert do(full, lead, author=AUTHOR).counts["checked posts"] == 0


def test_a_row_that_was_refused_for_a_purged_posts_id_goes_with_it(full: Project, lead: Account) -> None:
    rows = [{"id": name, "text": f"{name}写的是别的话"} for name in ("p3", "p1")]
    with open_tsv(write_tsv(full.home.parent / "again.tsv", rows)) as source:
        receipt = intake.import_rows(full, lead, source)
    assert receipt.rejected == 2
    assert purge(full, lead, Criterion(author=AUTHOR)).counts["unreadable rows"] == 1
    assert do(full, lead, author=AUTHOR).counts["unreadable rows"] == 1
    left = intake.rejects_of(full, receipt.import_id)
    assert [(row.code, row.external_id) for row in left] == [(RejectCode.OTHER_TEXT, "p1")]


def test_imports_count_what_they_still_have_and_one_without_posts_is_passed_over(
    full: Project, lead: Account, clock: Clock
) -> None:
    clock.move(days=1)
    bring_in(
        full, lead, [{"id": f"b{at}", "text": f"{at}个陌生的新人", "author": "小北"} for at in range(3)], "b"
    )
    do(full, lead, author="小北")
    do(full, lead, author=AUTHOR)
    with full.database.read() as session:
        assert session.scalars(select(Import.accepted).order_by(Import.id)).all() == [POSTS - len(OURS), 0]
    assert read_overview(full, lead, midnight=clock()).posts == POSTS - len(OURS)
    with full.database.write() as session:
        session.get_one(Import, 2).accepted = 3  # as an earlier version left it
    assert [period.name for period in watch(full).periods] == ["posts.tsv", "2026-W02"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [(escaped, r"stays\u2028here"), (lambda name: name.translate(files.EARLIER_ESCAPES), "stays\u2028here")],
    ids=["now", "in files of earlier versions"],
)
def test_verdicts_are_known_by_their_ids_as_they_are_written(
    tmp_path: Path, written: Callable[[str], str], kept: str
) -> None:
    names = ["a\tb", "c\nd", "e\\f", "g\rh", "i\u2028j", "k\x85l", "m", "=n"]
    file = tmp_path / "x.tsv"
    with file.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("id\tverdict\n")
        lines.writelines(f"{written(name)}\tpass\n" for name in [*names, "stays\u2028here", "f"])
    assert files.verdicts_on(file, names) == len(names)
    assert files.without_verdicts(file, names) == len(names)
    assert file.read_bytes().decode() == f"id\tverdict\n{kept}\tpass\nf\tpass\n"


def test_what_is_made_while_posts_go_is_removed_as_well(
    full: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete_posts = purging.delete_posts

    def making(*arguments: object) -> object:
        (full.data / "exports").mkdir(exist_ok=True)
        (full.data / "exports" / "posts.csv").write_text(SECRET, encoding="utf-8")
        (full.data / "radar.json").write_text(SECRET, encoding="utf-8")
        return delete_posts(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(purging, "delete_posts", making)
    do(full, lead, author=AUTHOR)
    assert not (full.data / "exports").exists()
    assert not (full.data / "radar.json").exists()


def test_the_receipt_fits_the_files_and_tells_what_they_were(full: Project, lead: Account) -> None:
    folder = full.annotations / "round-0001"
    before = {file.name: sha256_of(file) for file in folder.glob("*.jsonl")}
    done = do(full, lead, author=AUTHOR)
    for place in (folder, full.annotations):
        receipt = json.loads((place / "receipt.json").read_text("utf-8"))
        assert "purging" not in receipt
        for name, facts in receipt["files"].items():
            rows = [json.loads(line) for line in (place / name).read_text("utf-8").split("\n") if line]
            assert (facts["sha256"], facts["rows"]) == (sha256_of(place / name), len(rows))
            assert sum(facts["labels"].values()) == len(rows)
        assert receipt["purged"]
        for entry in receipt["purged"]:
            assert entry["sha256_before"] == before[entry["file"]]
            assert entry["criterion"] == done.criterion
            assert AUTHOR not in str(entry)


def test_a_second_time_finds_nothing_and_tells_the_same_rounds(full: Project, lead: Account) -> None:
    do(full, lead, author=AUTHOR)
    after = state(full)
    again = do(full, lead, author=AUTHOR)
    assert sum(again.counts.values()) == 0
    assert again.rounds == [1]
    assert state(full) == after


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("moment", range(0, 26, 2))
def test_interrupted_anywhere_it_can_be_run_again(
    full: Project, lead: Account, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the nth change of a file or table."""
    for module in (files, purging, rows):
        monkeypatch.setattr(module, "IDS_AT_ONCE", 2)
    ours_in = {
        file.parent: sum(lines.read_text("utf-8").count(SECRET) for lines in file.parent.glob("*.jsonl"))
        for file in full.data.rglob("receipt.json")
    }
    steps = 0

    def killing(act: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object, **options: object) -> object:
            nonlocal steps
            steps += 1
            if steps == moment + 1:
                raise Killed
            return act(*arguments, **options)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killing(Path.replace))
        patch.setattr(purging, "delete_posts", killing(purging.delete_posts))
        patch.setattr(rows, "_run_delete", killing(rows._run_delete))
        with pytest.raises(Killed):
            do(full, lead, author=AUTHOR)
    whole(full)
    assert do(full, lead, author=AUTHOR).rounds == [1]
    whole(full)
    before = state(full)
    assert SECRET not in str(before["lines"])
    assert set(OURS).isdisjoint(before["scored"])  # type: ignore[arg-type]
    with full.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Post)) == POSTS - len(OURS)
    for file in full.data.rglob("receipt.json"):
        receipt = json.loads(file.read_text("utf-8"))
        assert "purging" not in receipt
        for name, facts in receipt["files"].items():
            assert facts["sha256"] == sha256_of(file.parent / name)
        assert sum(entry["lines"] for entry in receipt["purged"]) == ours_in[file.parent]
    assert RoundScores.of(full, 1).count() == POSTS - len(OURS)


def test_a_post_that_gets_a_freed_number_is_scored_like_any_other(full: Project, lead: Account) -> None:
    do(full, lead, author=AUTHOR)
    with full.database.write() as session:  # as in imports from before they recorded their numbers
        session.execute(update(Import).values(first_post=None))
    bring_in(full, lead, [{"id": "new", "text": "全新的帖子说说今天的见闻"}], "more")
    with full.database.read() as session:
        number = session.scalar(select(Post.id).where(Post.external_id == "new"))
    assert number == POSTS  # the last post is purged, its number is free
    scores = RoundScores.of(full, 1)
    assert scores.last_scored() == POSTS - 1
    assert len(scores.read().of(np.array([number])).post_ids) == 0


def test_copies_keep_what_they_were_given_and_still_find_each_other(
    project: Project, lead: Account, ann: Account
) -> None:
    """The group's first post is purged; an exact copy takes its index entry, so a later near-copy joins the group."""
    texts = [COPIES[0], COPIES[0], COPIES[1]]
    bring_in(project, lead, [{"id": f"c{at}", "text": one} for at, one in enumerate(texts)])
    swap.rebuild(project)
    held = answers.hold_posts(project, ann)[0].post_id
    saved = answers.submit(project, ann, held, "violation")
    answers.propagate(project, ann, saved.annotation_id, range(1, POSTS + 1))
    with project.database.read() as session:
        group = session.scalar(select(Post.group_id).where(Post.id == 1))
    do(project, lead, post=f"c{held - 1}")
    whole(project)
    with project.database.read() as session:
        rest = session.scalars(select(Annotation)).all()
        assert [(row.label, row.origin, row.propagated_from_id) for row in rest] == [
            ("violation", "propagated", None)
        ] * 2
    if held != 1:
        do(project, lead, post="c0")
    bring_in(project, lead, [{"id": "late", "text": COPIES[2]}], "late")
    with project.database.read() as session:
        late = session.scalars(select(Post).where(Post.external_id == "late")).one()
        assert (late.group_id, late.is_quarantined) == (group, False)


def test_before_goes_by_when_it_was_written_else_by_when_it_came(
    project: Project, lead: Account, clock: Clock
) -> None:
    one, two, three, four = different_texts(4)
    bring_in(
        project,
        lead,
        [
            {"id": "old", "text": one, "time": "2024年3月5日 10:02"},
            {"id": "new", "text": two, "time": "2025-06-01T00:00:00Z"},
            {"id": "seconds", "text": three, "time": "1700000000"},  # 2023-11-14
            {"id": "unknown", "text": four, "time": "刚刚"},
        ],
    )
    assert do(project, lead, before=date(2025, 6, 1)).counts["posts"] == 2
    with project.database.read() as session:
        assert set(session.scalars(select(Post.external_id))) == {"new", "unknown"}
    assert do(project, lead, before=date(2026, 1, 5)).counts["posts"] == 1
    assert do(project, lead, before=date(2026, 1, 6)).counts["posts"] == 1


def test_unreadable_rows_of_the_author_go_too(project: Project, lead: Account) -> None:
    file = write_tsv(project.home / "x.tsv", [{"id": "1", "text": "好的好的", "author": "小林"}])
    content = f"{file.read_text('utf-8')}2\t话\t{AUTHOR}\t多\n3\t话\t{AUTHOR}二\t多\n"
    file.write_text(content, encoding="utf-8")
    with open_tsv(file) as source:
        receipt = intake.import_rows(project, lead, source)
    assert purge(project, lead, Criterion(author=AUTHOR)).counts["unreadable rows"] == 1
    assert do(project, lead, author=AUTHOR).counts["unreadable rows"] == 1
    assert [row.line for row in intake.rejects_of(project, receipt.import_id)] == [4]


@pytest.mark.parametrize(
    "broken",
    [
        f"7 话 {AUTHOR} 多",
        f"7\t话\t作者：{AUTHOR}，多\t多",
        f"7\t话\t[{AUTHOR}]\t多",
        f"{AUTHOR}",
        f'7\t话\t"{AUTHOR}"\t多',
    ],
)
def test_an_unreadable_row_goes_with_its_author_where_the_name_is_part_of_a_cell(
    project: Project, lead: Account, broken: str
) -> None:
    file = write_tsv(project.home / "x.tsv", [{"id": "1", "text": "好的好的", "author": "小林"}])
    file.write_text(f"{file.read_text('utf-8')}{broken}\n8 话 {AUTHOR}二 多\n", encoding="utf-8")
    with open_tsv(file) as source:
        receipt = intake.import_rows(project, lead, source)
    assert receipt.rejected == 2
    assert do(project, lead, author=AUTHOR).counts["unreadable rows"] == 1
    assert [row.line for row in intake.rejects_of(project, receipt.import_id)] == [4]


def test_a_purge_of_nothing_is_one_sentence_with_yes_too(project: Project) -> None:
    for arguments in ([], ["--yes"], ["--yes"]):
        result = CliRunner().invoke(
            app, ["purge", "--author", "nobody", "--home", str(project.home), *arguments]
        )
        assert result.exit_code == 0, result.exception
        assert "No post is meant by that." in result.output


def test_an_unreadable_row_of_the_post_goes_too_where_what_is_kept_of_it_was_cut_before_its_id(
    project: Project, lead: Account
) -> None:
    rows = [{"text": "长" * (LONGEST_TEXT + 1), "id": name} for name in ("p1", "p2")]
    with open_tsv(write_tsv(project.home / "x.tsv", rows)) as source:
        receipt = intake.import_rows(project, lead, source)
    assert purge(project, lead, Criterion(post="p1")).counts["unreadable rows"] == 1
    assert do(project, lead, post="p1").counts["unreadable rows"] == 1
    assert [row.external_id for row in intake.rejects_of(project, receipt.import_id)] == ["p2"]


def test_what_was_done_is_written_down_without_saying_to_whom(full: Project, lead: Account) -> None:
    done = do(full, lead, author=AUTHOR)
    with full.database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action.like("%purge")))
        recorded = [(entry.action, entry.subject, entry.person_id) for entry in entries]
        last = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert recorded == [("begin purge", done.criterion, lead.id), ("purge", done.criterion, lead.id)]
    assert last is not None
    assert last.detail == {"counts": dict(done.counts), "rounds": [1], "adaptations": []}


def test_while_a_round_runs_nothing_goes_and_only_leads_purge(
    full: Project, lead: Account, ann: Account
) -> None:
    with pytest.raises(NotAllowedError):
        purge(full, ann, Criterion(author=AUTHOR), is_dry=False)
    with full.database.write() as session:
        session.get_one(Round, 1).is_running = True
    before = state(full)
    with pytest.raises(RoundError, match="already under way"):
        do(full, lead, author=AUTHOR)
    assert state(full) == before


@pytest.mark.parametrize(
    ("lock", "message"), [(WORK, "Posts are being prepared"), (IMPORT, "import is running")]
)
def test_while_the_worker_or_an_import_is_at_work_nothing_goes(
    full: Project, lead: Account, lock: str, message: str
) -> None:
    before = state(full)
    with hold(full.data / lock, seconds=0), pytest.raises(WorkbenchError, match=message):
        do(full, lead, author=AUTHOR)
    assert state(full) == before
    assert do(full, lead, author=AUTHOR).counts["posts"] == len(OURS)


def test_posts_are_found_when_nobody_else_can_free_their_numbers(
    full: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a purge and an import in between would give a listed number to another post."""
    posts_of, seen = purging.posts_of, []

    def listed(*given: object) -> list[int]:
        with pytest.raises(Timeout), hold(full.data / WORK, seconds=0):
            pass
        with pytest.raises(Timeout), hold(full.data / IMPORT, seconds=0):
            pass
        seen.extend(posts_of(*given))  # type: ignore[arg-type]
        return seen

    monkeypatch.setattr(purging, "posts_of", listed)
    assert do(full, lead, author=AUTHOR).counts["posts"] == len(OURS) == len(seen)


@pytest.mark.parametrize(
    "wanted", [{}, {"author": "a", "post": "b"}, {"author": ""}, {"author": " "}, {"post": "\u3000"}]
)
def test_one_criterion_is_named(wanted: dict[str, str]) -> None:
    with pytest.raises(InputError, match="Name one of"):
        Criterion(**wanted)  # type: ignore[arg-type]


def test_the_command_shows_first_and_acts_when_told(full: Project, lead: Account) -> None:
    (full.data / "workbench.db.before-0003").write_bytes(b"old")
    shown = run(full, "purge", "--author", AUTHOR)
    assert "would be removed" in shown.stdout
    assert "workbench.db.before-0003" in shown.stdout
    assert json.loads(run(full, "purge", "--post", "p3", "--json").stdout)["counts"]["posts"] == 1
    assert "rounds 1" in run(full, "purge", "--author", AUTHOR, "--yes").stdout
    with full.database.read() as session:
        assert session.scalars(select(Resolution.post_id)).all() == [2]
    assert run(full, "purge", "--before", "soon").exit_code == 1
