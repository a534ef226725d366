"""Each figure of the Team page, recomputed from the rows."""

from collections import Counter

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Annotation, Board, CheckAnswer, Claim, Post, QueueEntry, Resolution
from tests.conftest import Clock
from tests.workbench.assigning.making import queue_of_boards
from tests.workbench.making import add_decision
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain, rows
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project


def screen() -> None:
    from workbench.web.views.team import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


@pytest.fixture
def table(
    project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock
) -> list[list[str]]:
    """Labels of yesterday and today, one withdrawn, one decided by the lead, one post open."""
    queue_of_boards(project, lead)
    for days, people in ((1, (ann, ben, ann)), (0, (ann, ben, ann, ann))):
        for person in people:
            answers.submit(project, person, answers.hold_posts(project, person)[0].post_id, "normal")
        clock.move(days=days)
    answers.undo(project, ann)
    with project.database.read() as session:
        labelled = set(session.scalars(select(Annotation.post_id)))
        free = session.scalars(select(Post.id).where(Post.id.not_in(labelled)).order_by(Post.id)).first()
    assert free is not None
    add_decision(project, lead, free, "violation")
    answers.hold_posts(project, ben)
    visit_as(lead)
    return rows(plain(AppTest.from_function(screen, default_timeout=20).run()))


def current(project: Project) -> list[Annotation]:
    with project.database.read() as session:
        annotations = session.scalars(select(Annotation)).all()
    superseded = {row.supersedes_id for row in annotations}
    return [row for row in annotations if row.action == "label" and row.id not in superseded]


def test_each_person_with_the_labels_of_today_and_of_the_week(
    table: list[list[str]], project: Project, ann: Account, ben: Account
) -> None:
    with project.database.read() as session:
        claims = session.scalars(select(Claim).where(Claim.expires_at > project.now())).all()
        checks = session.scalars(select(CheckAnswer)).all()
    today = project.now().date()
    for person in (ann, ben):
        rows_of = [row for row in (*current(project), *checks) if row.person_id == person.id]
        expected = [
            str(sum(row.saved_at.date() == today for row in rows_of)),
            str(len(rows_of)),
            str(sum(claim.person_id == person.id for claim in claims)),
        ]
        line = next(row for row in table if row[0] == person.name)
        assert [line[1], line[3], line[4]] == expected
        assert line[3] != "0"


def test_each_board_with_its_posts_labels_and_queue(table: list[list[str]], project: Project) -> None:
    with project.database.read() as session:
        boards = dict(session.execute(select(Board.id, Board.name)).all())
        board_of = dict(session.execute(select(Post.id, Post.board_id)).all())
        decided = {row.post_id for row in session.scalars(select(Resolution)) if row.label is not None}
        waiting = [row.post_id for row in session.scalars(select(QueueEntry)) if not row.is_answered]
    labelled = {row.post_id for row in current(project)} | decided
    counts = [Counter(board_of[post] for post in posts) for posts in (board_of, labelled, waiting)]
    assert sum(counts[1].values()) > 3
    for number, name in boards.items():
        line = next(row for row in table if row[0] == name)
        assert line[1:4] == [str(count[number]) for count in counts]
