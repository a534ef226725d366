"""Each figure of the Review page, recomputed from the rows."""

from collections import Counter
from itertools import combinations

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Annotation, Person, Resolution
from tests.conftest import Clock
from tests.workbench.making import add_decision, add_label, label_row, ready_queue
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain, rows, share_cell
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project

Votes = dict[int, list[tuple[str, str]]]
"""(name, label) by post."""


def screen() -> None:
    from workbench.web.views.review import page as review_page  # noqa: PLC0415 - AppTest runs this function's source alone

    review_page.show()


def section(name: str) -> str:
    app = AppTest.from_function(screen, default_timeout=20).run()
    app.segmented_control(key="review-section").set_value(name).run()
    return plain(app)


@pytest.fixture
def judged(
    project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock
) -> Votes:
    """40 posts with one or two answers, over two weeks; some are settled."""
    ready_queue(project, lead, 40)
    labels = ("normal", "suspicious", "violation")
    for post in range(1, 36):
        if post == 20:
            clock.move(days=7)
        add_label(project, ann, post, labels[post % 3], slot=0, origin="person")
        if post % 5:
            add_label(project, ben, post, labels[post * post % 3], slot=1, origin="person")
    add_decision(project, lead, 2, "normal", occasion="review")
    visit_as(lead)
    with project.database.read() as session:
        names = dict(session.execute(select(Person.id, Person.name)).all())
        votes: Votes = {}
        for row in session.scalars(select(Annotation).order_by(Annotation.id)):
            votes.setdefault(row.post_id, []).append((names[row.person_id], str(row.label)))
    return {post: said for post, said in votes.items() if len(said) == 2}


def is_same(said: list[tuple[str, str]]) -> bool:
    return said[0][1] == said[1][1]


def test_posts_and_pairs_that_agree(judged: Votes) -> None:
    page = section("agreement")
    same = sum(map(is_same, judged.values()))
    assert f"<b>{len(judged)}</b><span>posts with two answers</span>" in page
    assert f"<b>{same / len(judged):.0%}</b><span>pairs that agree</span>" in page


def test_agreement_by_label_by_week_and_by_pair(judged: Votes, project: Project, clock: Clock) -> None:
    table = rows(section("agreement"))
    words = {"normal": "normal", "suspicious": "borderline", "violation": "violation"}
    for label, word in words.items():
        # Of each answer with the label, whether the other one has it too.
        others = [
            other == label
            for said in judged.values()
            for own, other in ((said[0][1], said[1][1]), (said[1][1], said[0][1]))
            if own == label
        ]
        row = next(row for row in table if row[0] == word)
        assert row[1].startswith(f"{sum(others) / len(others):.0%} ")
    assert ["Ann · Ben", share_cell([is_same(said) for said in judged.values()])] in table
    weeks = {"2026-01-05": range(1, 20), "2026-01-12": range(20, 36)}
    for monday, posts in weeks.items():
        assert [
            monday,
            share_cell([is_same(said) for post, said in judged.items() if post in posts]),
        ] in table


def test_pairs_of_labels_with_their_posts_and_open_cases(judged: Votes, project: Project) -> None:
    table = rows(section("agreement"))
    with project.database.read() as session:
        settled = set(session.scalars(select(Resolution.post_id)))
    posts, still = Counter[str](), Counter[str]()
    order = ["normal", "borderline", "violation"]
    for post, said in judged.items():
        words = sorted(
            ("borderline" if label == "suspicious" else label for _, label in said), key=order.index
        )
        if words[0] != words[1]:
            posts[" / ".join(words)] += 1
            still[" / ".join(words)] += post not in settled
    for pair in map(" / ".join, combinations(order, 2)):
        if posts[pair]:
            assert [pair, str(posts[pair]), str(still[pair])] in table
    assert settled


def test_what_waits_for_a_decision(judged: Votes, project: Project, ann: Account) -> None:
    asked = 36
    with project.database.write() as session:
        session.add(label_row(project, ann, asked, None, action="skip", is_flagged=True))
    differ = [post for post, said in judged.items() if not is_same(said) and post != 2]
    page = section("cases")
    assert "<b>1</b><span>asked of a lead</span>" in page
    assert f"<b>{len(differ)}</b><span>judged differently</span>" in page


def test_the_timesheet_counts_first_answers_and_minutes(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs, clock: Clock
) -> None:
    ready_queue(project, lead, 20)
    took = []
    for number in range(6):
        post = answers.hold_posts(project, ann)[0].post_id
        clock.move(seconds=10 * (number + 1))
        if number == 4:
            answers.skip(project, ann, post)
        else:
            answers.submit(project, ann, post, "normal")
    with project.database.read() as session:
        for row in session.scalars(select(Annotation)):
            if row.shown_at is not None:
                took.append((row.saved_at - row.shown_at).total_seconds())
    visit_as(lead)
    (line,) = [row for row in rows(section("timesheet")) if row[0] == "Ann"]
    assert line[1:4] == ["2026-01-05", "5", "1"]
    assert sum(took) > 0
    assert line[-1] == f"{sum(took) / 60:,.1f}"
