"""Verdicts: people before the model, each import once, and a repeated file unchanged."""

import csv
import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from db.tables import Annotation, Import, Post, PostGroup
from tests.conftest import Clock
from tests.workbench.making import (
    add_decision,
    add_label,
    add_policy,
    different_texts,
    import_texts,
    judge_held_out,
    make_champion,
    posts_of,
    ready_queue,
)
from trainer.statistics.proportions import wilson
from trainer.statistics.thresholds import Rows, Thresholds
from workbench.accounts import Account
from workbench.cli import app
from workbench.errors import InputError, NotAllowedError, RoundError
from workbench.exports.spreadsheet import FORMULA_STARTS
from workbench.imports.preparing import prepare
from workbench.project import Project
from workbench.purging.files import without_verdicts
from workbench.scores.round_scores import RoundScores, Scores
from workbench.thresholds import verdicts
from workbench.thresholds.verdicts import decide, missed


def more_posts(project: Project, lead: Account, start: int, count: int, violation: float) -> None:
    import_texts(project, lead, different_texts(start + count)[-count:], start=start)
    prepare(project)
    scores = np.tile([1 - violation, 0, violation], (count, 1)).astype(np.float32)
    with project.database.read() as session:
        ids = np.array(session.scalars(select(Post.id).order_by(Post.id.desc()).limit(count)).all()[::-1])
    RoundScores.of(project, 1).append(Scores(ids, scores))


def lines(file: Path) -> dict[str, dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as rows:
        records = list(csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE))
    by_id = {row["id"]: row for row in records}
    assert len(by_id) == len(records)
    return by_id


@pytest.fixture
def decided_by(project: Project, lead: Account) -> np.ndarray:
    """A round and thresholds in force; returns the violation scores of 60 posts."""
    ready_queue(project, lead, 60)
    score = np.linspace(0, 0.995, 60).astype(np.float32)
    make_champion(project, lead, np.stack([(1 - score) * 0.6, (1 - score) * 0.4, score], axis=1))
    add_policy(project, lead)
    return score.astype(np.float64)


def splits(project: Project) -> dict[str, str]:
    query = select(Post.external_id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
    with project.database.read() as session:
        return {row.external_id: row.split for row in session.execute(query)}


def test_the_model_decides_by_the_thresholds(project: Project, lead: Account, decided_by: np.ndarray) -> None:
    decided = decide(project, lead)
    rows, split_of = lines(decided.file), splits(project)
    assert set(split_of.values()) > {"pool"}
    assert decided.rows == len(rows) == 60
    for post, score in enumerate(decided_by, start=1):
        row = rows[f"p{post}"]
        assert row["verdict"] == ("pass" if score < 0.1 else "human" if score < 0.7 else "flag")
        if split_of[f"p{post}"] != "pool":
            # To be labelled blind: the verdict, and no score.
            assert (row["label"], row["certainty"], row["round"]) == ("", "", "")
            continue
        top = max((1 - score) * 0.6, score)
        assert row["label"] == ("violation" if score == top else "normal")
        assert float(row["certainty"]) == pytest.approx(top, abs=1e-4)
        assert (row["round"], row["policy"]) == ("1", "1")
    assert decided.verdicts == {
        name: sum(row["verdict"] == name for row in rows.values()) for name in ("pass", "human", "flag")
    }
    assert decided.by_people == 0


def test_people_beat_the_model_and_a_leads_decision_beats_people(
    project: Project, lead: Account, ann: Account, ben: Account, decided_by: np.ndarray
) -> None:
    add_label(project, ann, 1, "violation")
    add_label(project, ann, 60, "suspicious")
    add_label(project, ann, 59, "normal")
    add_label(project, ben, 59, "normal")
    add_decision(project, lead, 59, "violation")
    add_label(project, ann, 58, "normal")
    add_decision(project, lead, 58, "violation")
    add_decision(project, lead, 58, None)  # taken back
    add_label(project, lead, 57, "violation", source="modlog")
    add_label(project, ann, 57, "normal")
    add_label(project, lead, 56, "normal", source="modlog")
    add_label(project, ann, 55, "normal")
    add_label(project, ben, 55, "suspicious")
    decided = decide(project, lead)
    rows = lines(decided.file)
    expected = {1: "flag", 60: "human", 59: "flag", 58: "pass", 57: "pass", 56: "pass", 55: "human"}
    assert {post: rows[f"p{post}"]["verdict"] for post in expected} == expected
    assert rows["p59"] == {
        "id": "p59",
        "verdict": "flag",
        "label": "violation",
        "certainty": "",
        "round": "",
        "policy": "1",
    }
    assert decided.by_people == len(expected)


def test_the_same_command_gives_the_same_file_until_something_comes_in(
    project: Project, lead: Account, decided_by: np.ndarray
) -> None:
    first = decide(project, lead)
    before = first.file.read_bytes()
    again = decide(project, lead)
    assert again.file == first.file
    assert again.file.read_bytes() == before
    more_posts(project, lead, start=61, count=5, violation=0.9)
    following = decide(project, lead)
    assert list(lines(following.file)) == [f"p{post}" for post in range(61, 66)]
    assert following.verdicts == {"pass": 0, "human": 0, "flag": 5}
    assert decide(project, lead).file.read_bytes() == following.file.read_bytes()
    assert first.file.read_bytes() == before


def test_posts_without_a_score_wait_and_are_not_lost(
    project: Project, lead: Account, decided_by: np.ndarray
) -> None:
    import_texts(project, lead, different_texts(64)[60:], start=61)
    decided = decide(project, lead)
    assert (decided.rows, decided.waiting) == (60, 4)
    prepare(project)
    assert decide(project, lead).waiting == 4  # prepared, not scored
    with project.database.read() as session:
        ids = np.array(session.scalars(select(Post.id).where(Post.id > 60)).all())
    RoundScores.of(project, 1).append(Scores(ids, np.full((4, 3), 1 / 3, np.float32)))
    decided = decide(project, lead)
    assert (decided.rows, decided.waiting) == (4, 0)


def test_a_moment_can_be_named_and_leaves_the_next_time_as_it_was(
    project: Project, lead: Account, clock: Clock, decided_by: np.ndarray
) -> None:
    with project.database.write() as session:
        session.get_one(Import, 1).started_at = project.now() - timedelta(days=30)
    more_posts(project, lead, start=61, count=5, violation=0.9)
    assert decide(project, lead, since=date(2026, 1, 1)).rows == 5
    assert decide(project, lead).rows == 65
    with pytest.raises(InputError, match="nothing was imported"):
        decide(project, lead, since=date(2027, 1, 1))


def test_an_older_policy_can_be_named(project: Project, lead: Account, decided_by: np.ndarray) -> None:
    add_policy(project, lead, version=2, pass_below=0.0, flag_from=1.001)
    assert decide(project, lead).verdicts == {"pass": 0, "human": 60, "flag": 0}
    older = decide(project, lead, version=1)
    assert older.policy == 1
    assert older.verdicts["pass"] == (decided_by < 0.1).sum()
    with pytest.raises(InputError, match="no version 3"):
        decide(project, lead, version=3)


def test_posts_are_taken_a_few_at_a_time(
    project: Project, lead: Account, decided_by: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = decide(project, lead).file.read_bytes()
    monkeypatch.setattr(verdicts, "CHUNK", 7)
    assert decide(project, lead).file.read_bytes() == whole


def test_a_file_that_fails_half_way_leaves_the_old_one(
    project: Project, lead: Account, decided_by: np.ndarray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "out" / "verdicts.tsv"
    before = decide(project, lead, out=file).file.read_bytes()
    monkeypatch.setattr(verdicts, "CHUNK", 7)
    monkeypatch.setattr(verdicts, "labels_by_people", lambda _session, ids: {} if ids[0] < 20 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        decide(project, lead, out=file)
    assert file.read_bytes() == before
    names = ["verdicts.receipt.json", "verdicts.tsv"]
    assert sorted(path.name for path in file.parent.iterdir()) == names


def test_an_id_cannot_break_a_row(project: Project, lead: Account, decided_by: np.ndarray) -> None:
    with project.database.write() as session:
        session.get_one(Post, 1).external_id = 'a\tb\nc\\d"'
        session.get_one(Post, 2).external_id = "a\u2028b\x85c\vd"
    rows = lines(decide(project, lead).file)
    assert {'a\\tb\\nc\\\\d"', r"a\u2028b\u0085c\u000bd"} <= set(rows)


def test_an_id_is_no_formula_where_a_spreadsheet_opens_the_file_and_is_found_by_a_purge(
    project: Project, lead: Account, decided_by: np.ndarray
) -> None:
    ids = ["=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(1)", "＝1", "-5", "+86", "=old"]
    with project.database.write() as session:
        for post, external_id in enumerate(ids, start=1):
            session.get_one(Post, post).external_id = external_id
    file = decide(project, lead).file
    written = [r"\=HYPERLINK(1)", r"\+1+1", r"\-2+3", r"\@SUM(1)", r"\＝1", "-5", "+86", r"\=old"]
    assert set(written) <= set(lines(file))
    assert not any(name.startswith(FORMULA_STARTS) for name in set(lines(file)) - {"-5", "+86"})
    file.write_text(file.read_text(encoding="utf-8").replace(r"\=old", "=old"), encoding="utf-8")
    assert without_verdicts(file, ids) == len(ids)
    assert not {*written, "=old"} & set(lines(file))


def test_missed_violations_are_those_of_blind_posts_that_would_pass(project: Project, lead: Account) -> None:
    score, is_violation = judge_held_out(project, lead)
    add_policy(project, lead, pass_below=0.4)
    missed_violations = decide(project, lead).missed
    with project.database.read() as session:
        held_out = set(session.scalars(select(Annotation.post_id)))
    would_pass = [post for post in posts_of(project, "test") if score[post - 1] < 0.4]
    wrong = sum(bool(is_violation[post - 1]) for post in would_pass)
    passed = sum(score[post - 1] < 0.4 for post in range(1, len(score) + 1) if post not in held_out)
    assert wrong > 0
    assert missed_violations.test_posts == len(would_pass)
    assert missed_violations.estimate == pytest.approx(passed * wrong / len(would_pass))
    low, high = wilson(wrong / len(would_pass), len(would_pass))
    assert missed_violations.interval == pytest.approx((passed * low, passed * high), rel=1e-3)


def test_rare_kinds_of_posts_count_for_what_they_stand_for() -> None:
    rows = Rows(
        np.array([0.0, 0.0, 0.9]), np.array([True, False, True]), np.array([1.0, 9.0, 5.0]), [1, 2, 3]
    )
    missed_violations = missed(rows, Thresholds(0.5, 0.8), 1_000)
    assert missed_violations.estimate == pytest.approx(100)
    assert missed(rows, Thresholds(0.0, 0.8), 1_000).estimate is None


def test_without_a_round_or_thresholds_the_command_says_so_in_one_sentence(
    project: Project, lead: Account, ann: Account
) -> None:
    judge_held_out(project, lead)
    with pytest.raises(NotAllowedError):
        decide(project, ann)
    with pytest.raises(InputError, match="No thresholds are in force"):
        decide(project, lead)


def test_before_the_first_round_there_is_nothing_to_decide_by(project: Project, lead: Account) -> None:
    with pytest.raises(RoundError, match="No round is in use"):
        decide(project, lead)


def test_the_command_writes_where_it_is_told(
    project: Project, lead: Account, decided_by: np.ndarray, tmp_path: Path
) -> None:
    file = tmp_path / "today.tsv"
    given = ["decide", "--home", str(project.home), "--out", str(file)]
    printed = json.loads(CliRunner().invoke(app, [*given, "--json"]).output)
    assert (printed["file"], printed["rows"], printed["policy"]) == (str(file), 60, 1)
    assert len(lines(file)) == 60
    assert printed["chosen_for"] is None
    output = CliRunner().invoke(app, given).output
    assert "not chosen for round 1" in output
    assert "60 posts" in output
    assert "cannot be told" in output


def test_a_held_out_post_somebody_has_answered_says_what_they_said(
    project: Project, lead: Account, ann: Account, decided_by: np.ndarray
) -> None:
    answered, decided, passed_on, *_rest = [
        int(name.removeprefix("p")) for name, split in splits(project).items() if split != "pool"
    ]
    add_label(project, ann, answered, "violation")
    add_decision(project, lead, decided, "normal")
    add_decision(project, lead, passed_on, "violation")
    add_decision(project, lead, passed_on, None)  # taken back
    rows = lines(decide(project, lead).file)
    assert (rows[f"p{answered}"]["verdict"], rows[f"p{answered}"]["label"]) == ("flag", "violation")
    assert (rows[f"p{decided}"]["verdict"], rows[f"p{decided}"]["label"]) == ("pass", "normal")
    assert rows[f"p{passed_on}"]["label"] == ""


def test_an_import_of_nothing_but_known_posts_leaves_the_last_file_as_it_was(
    project: Project, lead: Account, decided_by: np.ndarray, tmp_path: Path
) -> None:
    file = tmp_path / "today.tsv"
    first = decide(project, lead, out=file)
    before = file.read_bytes()
    assert import_texts(project, lead, different_texts(60)).duplicates == 60
    prepare(project)
    again = decide(project, lead, out=file)
    assert (again.rows, again.first_import, again.last_import) == (60, 1, first.last_import)
    assert file.read_bytes() == before
    more_posts(project, lead, start=61, count=5, violation=0.9)
    assert list(lines(decide(project, lead, out=file).file)) == [f"p{post}" for post in range(61, 66)]


def test_a_moment_since_which_nothing_new_came_in_writes_no_empty_file(
    project: Project, lead: Account, decided_by: np.ndarray, tmp_path: Path
) -> None:
    file = tmp_path / "today.tsv"
    with project.database.write() as session:
        session.get_one(Import, 1).started_at = project.now() - timedelta(days=30)
    import_texts(project, lead, different_texts(60))
    prepare(project)
    with pytest.raises(InputError, match="nothing was imported"):
        decide(project, lead, since=date(2026, 1, 1), out=file)
    assert not file.exists()
