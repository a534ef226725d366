"""The figures of the Posts page against a recount of the raw rows."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from tests.workbench.making import different_texts, import_texts
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.posts.search import Filter
from workbench.project import Project
from workbench.queue import swap
from workbench.queue.status import read_status
from workbench.review import bulk_labels


def screen() -> None:
    from workbench.web.views.posts import page as posts_page  # noqa: PLC0415 - AppTest runs this function's source alone

    posts_page.show()


@pytest.fixture
def page(project: Project, lead: Account, ann: Account, visit_as: VisitAs) -> AppTest:
    """Forty posts, four of them labelled, one skipped and one taken back; then three that are not prepared, one of them refused."""
    import_texts(
        project, lead, [f"{'加微信' if n % 4 else '天气'}{one}" for n, one in enumerate(different_texts(40))]
    )
    prepare(project)
    swap.rebuild(project)
    for label in ("normal", "violation"):
        card = answers.hold_posts(project, ann)[0]
        answers.submit(project, ann, card.post_id, label)
    answers.undo(project, ann)
    answers.skip(project, ann, answers.hold_posts(project, ann)[0].post_id)
    seen = bulk_labels.preview(project, lead, Filter(text="微信"), at_most=4)
    bulk_labels.label_all(project, lead, seen, "violation")
    import_texts(project, lead, different_texts(43)[40:], start=40)
    visit_as(lead)
    return AppTest.from_function(screen, default_timeout=20).run()


def shown(page: AppTest) -> str:
    assert not page.exception
    return unescape(" ".join(element.proto.body for element in page.get("html")))


def figure(page: AppTest, word: str) -> int:
    match = re.search(rf"<b>([\d,]+)</b> {word}<", shown(page))
    assert match is not None
    return int(match[1].replace(",", ""))


@pytest.fixture
def count(project: Project) -> Callable[[str], int]:
    def counted(query: str) -> int:
        with project.database.read() as session:
            return int(session.execute(text(query)).scalar_one())

    return counted


def test_posts_are_those_of_all_imports(page: AppTest, count: Callable[[str], int]) -> None:
    assert figure(page, "posts") == count("SELECT SUM(accepted) FROM import") == 42


def test_labelled_posts_have_a_standing_answer_or_a_decision(page: AppTest, project: Project) -> None:
    with project.database.read() as session:
        rows = session.execute(text("SELECT id, post_id, label, supersedes_id FROM annotation")).all()
        decisions = session.execute(text("SELECT id, post_id, label FROM resolution ORDER BY id")).all()
    superseded = {row.supersedes_id for row in rows}
    by_people = {row.post_id for row in rows if row.id not in superseded and row.label is not None}
    last = {row.post_id: row.label for row in decisions}
    by_leads = {post for post, label in last.items() if label is not None}
    assert len(by_people | by_leads) > len(by_people) > 0
    assert figure(page, "labelled") == len(by_people | by_leads)


def test_posts_being_prepared_have_no_group_or_wait(page: AppTest, count: Callable[[str], int]) -> None:
    waiting = count("SELECT SUM(waiting) FROM import")
    assert figure(page, "being prepared") == waiting + count(
        "SELECT COUNT(*) FROM post WHERE group_id IS NULL"
    )
    assert figure(page, "being prepared") == 2


def test_the_model_is_unsure_below_the_band_too_as_rounds_and_thresholds_count(
    page: AppTest, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = replace(read_status(project), champion=1, in_band=9, below_band=2)
    monkeypatch.setattr("workbench.web.views.posts.page.read_status", lambda *_: status)
    assert figure(page.run(), "model unsure") == 11


def test_hits_are_the_posts_that_hold_the_words(page: AppTest, count: Callable[[str], int]) -> None:
    page.text_input(key="search").set_value("微信").run()
    hits = count("SELECT COUNT(*) FROM post_text WHERE text LIKE '%微信%'")
    assert hits == 30
    assert f"Posts found: {hits}" in shown(page)


def test_hits_of_a_label_are_the_posts_with_it(page: AppTest, project: Project) -> None:
    with project.database.read() as session:
        decided = (
            session.execute(text("SELECT post_id FROM resolution WHERE label = 'violation'")).scalars().all()
        )
    page.session_state["label"] = "violation"
    page.run()
    assert f"Posts found: {len(set(decided))}" in shown(page)


def test_an_imports_line_counts_its_rows(page: AppTest, project: Project) -> None:
    with project.database.read() as session:
        rows = session.execute(text("SELECT file_name, accepted, duplicates, rejected FROM import")).all()
    lines = {
        cells[0]: tuple(int(re.sub("<[^>]*>|,", "", cell)) for cell in cells[2:5])
        for line in shown(page).split("<tr>")
        if (cells := re.findall("<td[^>]*>(.*?)</td>", line))
    }
    assert lines == {row.file_name: tuple(row)[1:] for row in rows}
