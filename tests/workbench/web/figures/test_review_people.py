"""Each figure of Review's table of people, recomputed from the rows of answers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from statistics import median
from typing import Any

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Annotation, CheckAnswer, Person
from tests.conftest import Clock
from tests.workbench.making import add_label, label_row, ready_queue
from tests.workbench.review.test_quality import check
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain, rows, share_cell
from workbench.accounts import Account
from workbench.project import Project

LABELS = ("normal", "suspicious", "violation")
SEEN = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 1, 19, tzinfo=UTC)
"""The weeks that leads see: two of the three that are over."""
ABSENT = 120
"""Seconds on a post that count as absence."""
Rows = Sequence[Mapping[str, Any]]


def screen() -> None:
    from workbench.web.views.review import page as review_page  # noqa: PLC0415 - AppTest runs this function's source alone

    review_page.show()


@pytest.fixture
def table(
    project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock
) -> list[list[str]]:
    """Three whole weeks: answers, some of them absent-minded, corrected, taken back, copied or imported; check posts."""
    ready_queue(project, lead, 140)
    for week in range(3):
        for number in range(30):
            _answer(project, ann, ben, 1 + 30 * week + number, number)
        clock.move(days=7)
    clock.move(days=1)
    visit_as(lead)
    app = AppTest.from_function(screen, default_timeout=20).run()
    app.segmented_control(key="review-section").set_value("people").run()
    assert "2026-01-18, whole weeks." in plain(app)
    return rows(plain(app))


def _answer(project: Project, ann: Account, ben: Account, post: int, number: int) -> None:
    seconds = 300 if number % 11 == 0 else 4 + number % 9
    times = {"shown_at": project.now() - timedelta(seconds=seconds)}
    seen = {"suggestion": LABELS[number % 2], "was_suggestion_visible": number % 3 == 0}
    first = label_row(project, ann, post, LABELS[number % 3], **seen, **times)
    with project.database.write() as session:
        session.add(first)
        session.flush()
        replacing = {"supersedes_id": first.id, **times}
        if number % 7 == 0:  # corrected, with the model's view in sight
            corrected = {**seen, **replacing, "was_suggestion_visible": True}
            session.add(label_row(project, ann, post, "violation", **corrected))
        elif number % 7 == 1:
            session.add(label_row(project, ann, post, None, action="undo", **replacing))
        elif number % 7 == 2:
            session.add(label_row(project, ben, post, "normal", origin="propagated"))
    if number % 4:
        add_label(project, ben, post, LABELS[number * number % 3], slot=1, **times)
    for person, kind in ((ann, "gold"), (ben, "own_again")):
        check(project, person, post, kind, LABELS[number % 3], LABELS[number * (number + 1) % 3])


def all_rows(project: Project, kind: type[Annotation] | type[CheckAnswer]) -> Rows:
    with project.database.read() as session:
        found = session.execute(select(kind.__table__).order_by(kind.id)).mappings()
        return [
            {**row, "saved_at": row["saved_at"], "person": session.get_one(Person, row["person_id"]).name}
            for row in found
        ]


def first_labels(answers: Rows, name: str) -> Rows:
    """Labels given by the person's own hand, without corrections."""
    by_id = {row["id"]: row for row in answers}
    return [
        row
        for row in answers
        if (row["person"], row["action"], row["origin"]) == (name, "label", "person")
        and SEEN[0] <= row["saved_at"] < SEEN[1]
        and (row["supersedes_id"] is None or by_id[row["supersedes_id"]]["action"] == "undo")
    ]


def row_of(table: list[list[str]], name: str) -> list[str]:
    (row,) = [row for row in table if row[0] == name]
    return row


@pytest.mark.parametrize("name", ["Ann", "Ben"])
def test_labels_and_their_seconds(table: list[list[str]], project: Project, name: str) -> None:
    labels = first_labels(all_rows(project, Annotation), name)
    took = [(row["saved_at"] - row["shown_at"]).total_seconds() for row in labels]
    assert any(seconds > ABSENT for seconds in took)
    each = median(seconds for seconds in took if seconds <= ABSENT)
    assert row_of(table, name)[1:3] == [str(len(labels)), f"{each:.0f}"]


def test_how_often_as_a_lead_or_as_themselves(table: list[list[str]], project: Project) -> None:
    same: dict[str, list[bool]] = defaultdict(list)
    for row in all_rows(project, CheckAnswer):
        if row["saved_at"] < SEEN[1]:
            same[row["kind"]].append(row["label"] == row["expected"])
    assert row_of(table, "Ann")[3:5] == [share_cell(same["gold"]), "–"]
    assert row_of(table, "Ben")[3:5] == ["–", share_cell(same["own_again"])]


def test_how_often_as_a_colleague(table: list[list[str]], project: Project) -> None:
    """Pairs of answers that stand, each as it was before the model's view was in sight."""
    answers = all_rows(project, Annotation)
    replaced = {row["supersedes_id"] for row in answers}
    standing = {
        (row["post_id"], row["person"])
        for row in answers
        if row["action"] == "label" and row["id"] not in replaced
    }
    votes: dict[int, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    for row in answers:
        is_own = row["action"] == "label" and row["origin"] == "person"
        if is_own and not row["was_suggestion_visible"] and (row["post_id"], row["person"]) in standing:
            votes[row["post_id"]][row["person"]] = row
    pairs = [pair for said in votes.values() for pair in combinations(said.values(), 2)]
    same = [
        one["label"] == other["label"]
        for one, other in pairs
        if max(one["saved_at"], other["saved_at"]) < SEEN[1]
    ]
    assert 10 <= len(same) < len(pairs)
    assert [row_of(table, name)[5] for name in ("Ann", "Ben")] == [share_cell(same)] * 2


def test_how_often_as_the_model_hidden_and_in_sight(table: list[list[str]], project: Project) -> None:
    labels = first_labels(all_rows(project, Annotation), "Ann")
    for place, is_visible in ((6, False), (7, True)):
        same = [
            row["label"] == row["suggestion"] for row in labels if row["was_suggestion_visible"] is is_visible
        ]
        assert row_of(table, "Ann")[place] == share_cell(same)
    assert row_of(table, "Ben")[6:] == ["–", "–"]
