"""Each figure of the Label page against a count of the raw rows."""

from collections.abc import Mapping
from datetime import timedelta
from statistics import median
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Annotation, CheckAnswer, QueueEntry
from tests.conftest import Clock
from tests.workbench.making import make_champion, ready_queue
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.desk import on_desk, open_screen, press
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.assigning.goals import set_goal
from workbench.project import Project

GOAL = 40


@pytest.fixture
def worked(project: Project, lead: Account, ann: Account, visit_as: VisitAs, clock: Clock) -> AppTest:
    """Ann's third day in a row: labels, a skip, an undo, a change, a reason and a question."""
    ready_queue(project, lead, 80)
    make_champion(project, lead, np.random.default_rng(7).dirichlet([1, 1, 1], 80))
    set_goal(project, lead, ann.id, goal=GOAL, second_opinions=None)
    visit_as(ann)
    for _day in range(2):
        press(open_screen(), "answer normal")
        clock.move(hours=24)
    app = open_screen()
    acts = ["answer violation", "answer normal", "skip", "answer suspicious", "undo", "answer normal", "ask"]
    for number, act in enumerate([*acts, *["answer violation"] * 6], start=3):
        clock.move(seconds=number)
        press(app, act)
    press(app, "change suspicious", place=2)
    press(app, "reason 辱骂", place=1)
    return app


def standing(project: Project, person: Account) -> list[Mapping[str, Any]]:
    """Rows of the person, answers and check answers, that no other row replaces."""
    with project.database.read() as session:
        rows: list[Mapping[str, Any]] = []
        for table in (Annotation, CheckAnswer):
            own = [
                dict(row)
                for row in session.execute(select(table.__table__)).mappings()
                if row["person_id"] == person.id
            ]
            replaced = {row["supersedes_id"] for row in own}
            rows += [row for row in own if row["id"] not in replaced]
        return rows


def facts(app: AppTest) -> dict[str, str]:
    return dict(on_desk(app)["progress"]["facts"])


def test_todays_answers_and_their_share_of_the_goal(worked: AppTest, project: Project, ann: Account) -> None:
    today = project.now().date()
    labelled = [
        row for row in standing(project, ann) if row["action"] == "label" and row["saved_at"].date() == today
    ]
    progress = on_desk(worked)["progress"]
    assert len(labelled) == 9
    assert progress["today"] == [str(len(labelled)), f"of {GOAL}"]
    assert progress["share"] == pytest.approx(len(labelled) / GOAL)


def test_the_seconds_each_are_the_median_of_first_answers(
    worked: AppTest, project: Project, ann: Account
) -> None:
    with project.database.read() as session:
        rows = [row for row in session.scalars(select(Annotation)) if row.person_id == ann.id]
    by_id = {row.id: row for row in rows}
    today = project.now().date()
    first = [
        row
        for row in rows
        if row.saved_at.date() == today
        and row.action != "undo"
        and (row.supersedes_id is None or by_id[row.supersedes_id].action == "undo")
    ]
    took = [(row.saved_at - row.shown_at) / timedelta(seconds=1) for row in first if row.shown_at]
    assert facts(worked)["pace"] == f"{median(took):.0f} s each"


def test_what_is_left_for_the_team_is_the_queue_without_answered_posts(
    worked: AppTest, project: Project
) -> None:
    with project.database.read() as session:
        entries = {row.post_id for row in session.scalars(select(QueueEntry))}
        labelled = {
            row.post_id
            for row in session.scalars(select(Annotation))
            if row.action == "label" and row.id not in set(session.scalars(select(Annotation.supersedes_id)))
        }
    assert facts(worked)["left"] == f"left for the team: {len(entries - labelled)}"


def test_the_days_in_a_row_are_days_with_an_answer(worked: AppTest, project: Project, ann: Account) -> None:
    days = {row["saved_at"].date() for row in standing(project, ann)}
    count, day = 0, project.now().date()
    while day in days:
        count, day = count + 1, day - timedelta(days=1)
    assert facts(worked)["days"] == f"day {count} in a row"


def test_the_last_answers_are_the_latest_rows(worked: AppTest, project: Project, ann: Account) -> None:
    rows = sorted(standing(project, ann), key=lambda row: (row["saved_at"], row["id"]), reverse=True)
    latest = [row for row in rows if row["action"] != "undo"][:10]
    shown = [(answer["post"], answer["label"], answer["reason"]) for answer in on_desk(worked)["answers"]]
    assert shown == [(row["post_id"], row["label"], row["reason"]) for row in latest]


def test_the_models_view_is_what_the_round_scored(worked: AppTest, project: Project) -> None:
    scores = np.random.default_rng(7).dirichlet([1, 1, 1], 80).astype(np.float32)
    drawn = [answer for answer in on_desk(worked)["answers"] if answer["thought"]]
    assert drawn
    for answer in drawn:
        assert [label for label, _word, _share in answer["thought"]] == list(LABELS)
        assert [share for *_, share in answer["thought"]] == pytest.approx(
            scores[answer["post"] - 1].tolist()
        )
