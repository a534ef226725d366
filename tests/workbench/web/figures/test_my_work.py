"""Each figure of My work, recomputed from the rows."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from statistics import median

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Annotation, CheckAnswer
from tests.conftest import Clock
from tests.workbench.making import add_label, ready_queue
from tests.workbench.review.test_quality import check
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain, rows, share_cell
from workbench.accounts import Account
from workbench.project import Project

WEEK = timedelta(weeks=1)
LABELS = ("normal", "suspicious", "violation")
WORDS = {"normal": "normal", "suspicious": "borderline", "violation": "violation"}


def screen() -> None:
    from workbench.web.views.my_work import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


@pytest.fixture
def worked(
    project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock
) -> Project:
    """Two whole weeks and a few answers of the running one, which no figure counts."""
    ready_queue(project, lead, 120)
    for week in range(3):
        for number in range(20 if week < 2 else 5):
            post = 1 + 20 * week + number
            times = {"shown_at": project.now() - timedelta(seconds=5 + number % 7)}
            seen = {"suggestion": LABELS[number % 2], "was_suggestion_visible": number % 3 == 0}
            add_label(project, ann, post, LABELS[number % 3], **seen, **times)
            if number % 4:
                add_label(project, ben, post, LABELS[number % 2], slot=1)
            check(
                project, ann, 60 + 20 * week + number, "gold", LABELS[number % 3], LABELS[number * number % 3]
            )
        clock.moment += WEEK if week < 2 else timedelta(0)
    visit_as(ann)
    return project


@pytest.fixture
def page(worked: Project) -> str:
    return plain(AppTest.from_function(screen, default_timeout=20).run())


def own(project: Project, ann: Account) -> Sequence[Annotation]:
    until = project.now().replace(hour=0, minute=0) - timedelta(days=project.now().weekday())
    with project.database.read() as session:
        labels = session.scalars(select(Annotation).where(Annotation.person_id == ann.id)).all()
    return [row for row in labels if row.saved_at < until]


def test_labels_and_seconds_each(page: str, worked: Project, ann: Account) -> None:
    labels = own(worked, ann)
    seconds = [(row.saved_at - row.shown_at).total_seconds() for row in labels if row.shown_at is not None]
    assert f"<b>{len(labels)}</b><span>labels</span>" in page
    assert f"<b>{median(seconds):.0f}</b><span>seconds each</span>" in page


def test_how_often_the_same_as_the_model_and_a_colleague(
    page: str, worked: Project, ann: Account, ben: Account
) -> None:
    table = rows(page)
    labels = own(worked, ann)
    for visible, words in ((True, "in sight"), (False, "hidden")):
        same = [row.label == row.suggestion for row in labels if row.was_suggestion_visible is visible]
        assert [f"as the model, its suggestion {words}", share_cell(same)] in table
    with worked.database.read() as session:
        others = dict(
            session.execute(
                select(Annotation.post_id, Annotation.label).where(Annotation.person_id == ben.id)
            ).all()
        )
    # An answer after the model's view was in sight is no vote.
    same = [
        row.label == others[row.post_id]
        for row in labels
        if row.post_id in others and not row.was_suggestion_visible
    ]
    assert ["as a colleague, each without the other's answer", share_cell(same)] in table


def test_how_often_the_same_as_the_lead_in_all_and_by_label(page: str, worked: Project) -> None:
    until = worked.now().replace(hour=0, minute=0) - timedelta(days=worked.now().weekday())
    by_label: dict[str, list[bool]] = defaultdict(list)
    with worked.database.read() as session:
        for row in session.scalars(select(CheckAnswer)):
            if row.saved_at < until:
                by_label[str(row.expected)].append(row.label == row.expected)
    table = rows(page)
    assert [
        "as the lead had settled it",
        share_cell([one for same in by_label.values() for one in same]),
    ] in table
    listed = {label: same for label, same in by_label.items() if len(same) >= 10}
    assert listed
    for label, same in listed.items():
        assert [WORDS[label], share_cell(same)] in table
