"""The counts of labels in doubt and of old labels on Review, recomputed from the files and rows."""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from tests.conftest import Clock
from tests.workbench.making import add_label, label_row, make_champion, posts_of, ready_queue
from tests.workbench.review.ruled import draft
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.figures.plain import plain
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project
from workbench.review import cases, old_labels, resolutions, rulings
from workbench.review.doubts import LISTED, write_doubts
from workbench.web.views.review import cases as cases_page

LABELS = ("normal", "suspicious", "violation")


def screen() -> None:
    from workbench.web.views.review import page as review_page  # noqa: PLC0415 - AppTest runs this function's source alone

    review_page.show()


def section(name: str) -> AppTest:
    app = AppTest.from_function(screen, default_timeout=20).run()
    return app.segmented_control(key="review-section").set_value(name).run()


def counted(app: AppTest, words: str) -> int:
    match = re.search(rf"{words}: ([\d,]+)", plain(app))
    assert match is not None
    return int(match[1].replace(",", ""))


def labels_now(project: Project) -> tuple[Mapping[int, set[str]], Mapping[int, str]]:
    """Labels that people have given and not changed, and those that leads have decided, by post."""
    with project.database.read() as session:
        given = session.execute(text("SELECT id, post_id, label, supersedes_id FROM annotation")).all()
        decisions = session.execute(text("SELECT post_id, label FROM resolution ORDER BY id")).all()
    replaced = {row.supersedes_id for row in given}
    by_people: dict[int, set[str]] = {}
    for row in given:
        if row.id not in replaced and row.label is not None:
            by_people.setdefault(row.post_id, set()).add(row.label)
    newest = {row.post_id: row.label for row in decisions}
    return by_people, {post: label for post, label in newest.items() if label is not None}


@pytest.mark.parametrize("posts", [40, 2 * LISTED])
def test_labels_in_doubt(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs, posts: int
) -> None:
    """More of them than are listed, too; without those that a lead has kept, and those changed since."""
    ready_queue(project, lead, posts)
    make_champion(project, lead, np.tile([0.6, 0.3, 0.1], (posts, 1)))
    given = [LABELS[post % 3] for post in range(posts)]
    rows = [label_row(project, ann, post, label) for post, label in enumerate(given, start=1)]
    with project.database.write() as session:
        session.add_all(rows)
        session.flush()
        for row in rows[5:9]:
            session.add(label_row(project, ann, row.post_id, "suspicious", supersedes_id=row.id))
    probabilities = np.random.default_rng(5).dirichlet([1, 1, 1], posts)
    write_doubts(project.round_folder(1), [f"p{n}" for n in range(1, posts + 1)], given, probabilities)
    for post in posts_of(project, "pool")[10:16]:
        resolutions.resolve(project, lead, post, given[post - 1], occasion="doubt")

    by_people, decided = labels_now(project)
    (file,) = project.round_folder(1).glob("doubts.parquet")
    doubted = [
        row["id"]
        for row in pq.read_table(file).to_pylist()
        if max(LABELS, key=lambda label: row[label]) != row["label"]
        and row["label"] in by_people[int(row["id"][1:])]
        and int(row["id"][1:]) not in decided
    ]
    assert (len(doubted) > LISTED) is (posts > 40)
    visit_as(lead)
    assert counted(section("doubts"), "labels in doubt") == len(doubted)


def test_old_labels_in_the_list_and_in_the_name_of_the_tab(
    project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock
) -> None:
    """Two rulings that touch some posts both; a label kept, one changed by its annotator, and one ruling withdrawn."""
    ready_queue(project, lead, 80)
    *cases, asked = posts_of(project, "pool")[:3]
    pool = posts_of(project, "pool")[3:33]
    for place, post in enumerate(pool):
        add_label(project, ann, post, LABELS[place % 3])
        if place % 5 == 0:
            add_label(project, ben, post, LABELS[(place + 1) % 3], slot=1)
    ruled = [
        (cases[0], pool[:16], "violation"),
        (cases[1], pool[10:22], "suspicious"),
        (asked, pool[20:], "normal"),
    ]
    numbers = []
    for case, touched, label in ruled:
        add_label(project, ann, case, "suspicious", is_flagged=True)
        numbers.append(
            rulings.settle(
                project,
                lead,
                draft(case, label, title=f"about {label}", words="", examples=frozenset(touched)),
            )
        )
        clock.move(minutes=1)
    rulings.withdraw(project, lead, numbers[-1])
    waiting = old_labels.old_labels(project, lead)
    kept, changed = [one for one in waiting if len(one.labels) == 1 and one.ruling_id == numbers[0]][:2]
    old_labels.settle(project, lead, kept.post_id, kept.labels[0], ruling_id=kept.ruling_id)
    with project.database.read() as session:
        number = session.execute(
            text("SELECT id FROM annotation WHERE post_id = :post"), {"post": changed.post_id}
        ).scalar_one()
    answers.change(project, ann, number, changed.ruled)

    by_people, decided = labels_now(project)
    with project.database.read() as session:
        touches = session.execute(
            text(
                "SELECT post_id, label FROM ruling_post JOIN ruling ON ruling.id = ruling_id "
                "WHERE ruling_id NOT IN (SELECT ruling_id FROM ruling_withdrawal)"
            )
        ).all()
    old = {
        row.post_id
        for row in touches
        if row.post_id not in decided and by_people.get(row.post_id, set()) - {row.label}
    }
    assert len(old) > 10
    visit_as(lead)
    app = section("old-labels")
    assert counted(app, "labels from before a ruling") == len(old)
    assert f"Old label, new rule ({len(old)})" in app.segmented_control(key="review-section").options


def test_a_full_list_of_cases_says_that_there_may_be_more() -> None:
    shown = [cases_page.listed(count) for count in (0, cases.LISTED - 1, cases.LISTED)]
    assert shown == ["0", "199", "200+"]
