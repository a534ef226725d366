"""The demo of the shipped rounds: its history, and that it is the one the rounds were made from."""

import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries.standing import is_current
from db.tables import Annotation, AuditEntry, Guideline, Import, Person, Round
from tests.made_once import made_once
from tests.workbench.team import member
from trainer.adapters.card import read_card
from trainer.adapters.folders import same_base, vouched_card
from trainer.errors import TrainerError
from trainer.files import sha256_of
from trainer.messages import Message
from workbench.accounts import Account
from workbench.auditing.checking import examine_audit
from workbench.demo.clock import labelling_days
from workbench.demo.files import history_folder, sample_folder
from workbench.demo.seeding import seed
from workbench.errors import InputError
from workbench.overview import weeks
from workbench.overview.radar import read_radar
from workbench.project import Project, init_project, open_project
from workbench.review import cases
from workbench.rounds import gate, lifecycle
from workbench.thresholds import policy
from workbench.worker.due import is_work_left

NOW = datetime.fromisoformat("2026-07-15T11:00:00+08:00")
"""A Wednesday, in another zone than that of most machines that run the tests."""
MOST_BYTES = 6 * 2**20


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    folder = made_once(
        tmp_path_factory, "demo", lambda folder: seed(folder / "demo", NOW, say=lambda _: None)
    )
    opened = open_project(folder / "demo")
    yield opened
    opened.database.dispose()


@pytest.fixture(scope="module")
def session(project: Project) -> Iterator[Session]:
    with project.database.read() as session:
        yield session


@pytest.fixture(scope="module")
def lead(project: Project) -> Account:
    return member(project, "林静怡", "lead")


@pytest.fixture(scope="module")
def rounds(session: Session) -> list[dict[str, Any]]:
    return sorted(lifecycle.history(session), key=lambda entry: int(entry["number"]))


def test_every_labelling_day_has_answers_of_both_annotators_and_no_other_day_has_any(
    session: Session,
) -> None:
    days = {
        (row.person_id, row.saved_at.astimezone(NOW.tzinfo).date())
        for row in session.scalars(select(Annotation).where(Annotation.origin == "person"))
    }
    annotators = session.scalars(select(Person.id).where(Person.role == "annotator")).all()
    assert len(annotators) == 2
    assert days == {(person, day) for person in annotators for day in labelling_days(NOW.date())}


def test_nothing_lies_in_the_future(session: Session) -> None:
    moments = [row.saved_at for row in session.scalars(select(Annotation))]
    for row in session.scalars(select(Round)):
        moments += [row.created_at, row.finished_at]
    assert max(moments) < NOW
    assert max(moments).astimezone(NOW.tzinfo).date() == NOW.date() - timedelta(days=1)


def test_the_curve_rises_and_ends_above_the_linear_baseline(rounds: list[dict[str, Any]]) -> None:
    scores = [entry["metrics"]["macro_f1"] for entry in rounds]
    assert len(scores) == 3
    assert all(before < after for before, after in pairwise(scores))
    assert scores[-1] > rounds[-1]["metrics"]["linear_macro_f1"]


def test_the_last_round_is_in_use_and_has_enough_test_posts_for_the_gate(
    rounds: list[dict[str, Any]],
) -> None:
    assert [entry["in_use"] for entry in rounds] == [False, False, True]
    metrics = rounds[-1]["metrics"]
    assert metrics["n"] >= gate.FEWEST_POSTS
    assert metrics["per_label"]["violation"]["support"] >= gate.FEWEST_VIOLATIONS


def test_what_the_lead_decides_has_a_reason(rounds: list[dict[str, Any]]) -> None:
    decided = [entry for entry in rounds if entry["decided_by"] is not None]
    assert decided
    assert all(
        entry["decided_by"] == "林静怡" and str(Message.from_dict(entry["decision_reason"]))
        for entry in decided
    )


def test_a_round_takes_the_time_of_its_training(project: Project, rounds: list[dict[str, Any]]) -> None:
    for entry in rounds:
        took = datetime.fromisoformat(entry["finished_at"]) - datetime.fromisoformat(entry["created_at"])
        assert took.total_seconds() > read_card(project.round_folder(entry["number"])).seconds


def test_the_rounds_learned_from_the_labels_of_this_project(
    project: Project, rounds: list[dict[str, Any]]
) -> None:
    """Otherwise the story, the sample or the queue has changed: `make demo-history` makes the rounds again."""
    for entry in rounds:
        folder, export = project.round_folder(entry["number"]), project.export_folder(entry["number"])
        card = vouched_card(folder)
        same_base(folder, card, "starter")
        assert card.data["train"].sha256 == sha256_of(export / "train.jsonl")


def test_some_disagreements_are_settled_and_some_are_open(
    project: Project, session: Session, lead: Account
) -> None:
    flagged = Counter(case.is_flagged for case in cases.open_cases(project, lead))
    assert flagged[True]
    assert flagged[False]
    settled = [
        row for row in session.scalars(select(Annotation)) if cases.resolved_case(project, lead, row.post_id)
    ]
    assert len(settled) > 5


def test_posts_were_skipped(session: Session) -> None:
    skipped = session.scalars(
        select(Annotation).where(Annotation.action == "skip", ~Annotation.is_flagged, is_current())
    ).all()
    assert {row.reason for row in skipped} == {"缺少上下文"}


def test_two_guidelines_were_published_and_the_thresholds_are_of_the_last_round(session: Session) -> None:
    assert len([row for row in session.scalars(select(Guideline)) if row.text]) == 2
    standing = policy.in_force(session)
    assert standing is not None
    assert standing.round_number == 3


def test_the_radar_and_the_weeks_have_something_to_compare_with(project: Project, lead: Account) -> None:
    scan = read_radar(project, lead)
    assert scan is not None
    assert all(period.posts and period.posts_before and period.drifts for period in scan.periods)
    assert len(weeks.read_weeks(project, lead)) >= 4


def test_nothing_is_left_for_the_worker(project: Project, session: Session) -> None:
    assert not is_work_left(session, project)
    assert set(session.scalars(select(Import.state))) == {"prepared"}


def test_the_shipped_rounds_are_small_and_hold_no_code() -> None:
    files = [file for file in history_folder(sample_folder()).rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < MOST_BYTES
    assert {file.suffix for file in files} <= {".safetensors", ".json", ".parquet", ".md", ".gz"}


def test_an_existing_project_is_opened_as_it_is(project: Project, tmp_path: Path) -> None:
    shutil.copytree(project.home, tmp_path / "demo")
    messages: list[Message] = []
    again = seed(tmp_path / "demo", NOW + timedelta(days=1), say=messages.append)
    again.database.dispose()
    assert messages == []


def test_a_project_of_ones_own_is_not_opened_as_a_demo(tmp_path: Path) -> None:
    init_project(tmp_path / "own").database.dispose()
    with pytest.raises(InputError, match="a project of your own"):
        seed(tmp_path / "own", NOW, say=lambda _: None)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="utf-8")
    with pytest.raises(TrainerError, match="already exists"):
        seed(tmp_path, NOW, say=lambda _: None)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


def test_its_audit_is_intact_and_tells_the_story_of_its_rounds(project: Project, session: Session) -> None:
    checked = examine_audit(project)
    assert checked.problem is None
    assert checked.heads > 0
    actions = set(session.scalars(select(AuditEntry.action)))
    assert {
        "import",
        "start round",
        "judge round",
        "promote round",
        "put in use",
        "set thresholds",
    } <= actions
