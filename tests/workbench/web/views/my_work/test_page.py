"""My work: a person's own figures, with intervals, and nothing of the running week."""

from datetime import timedelta
from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import Clock
from tests.workbench.making import add_label, ready_queue, serve_checks
from tests.workbench.review.test_quality import check
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.project import Project
from workbench.web import current_project

WEEK = timedelta(weeks=1)


def screen() -> None:
    from workbench.web.views.my_work import page  # noqa: PLC0415 - AppTest runs this function's source alone

    page.show()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(screen, default_timeout=10)


def shown(app: AppTest) -> str:
    assert not app.exception
    return unescape(" ".join(element.proto.body for element in app.get("html")))


def work(project: Project, lead: Account, ann: Account, ben: Account, clock: Clock) -> None:
    ready_queue(project, lead, 80)
    for week in range(2):
        for post in range(1 + 20 * week, 21 + 20 * week):
            is_seen = post % 2 == 0
            label = "normal" if is_seen else "violation"
            shown_at = project.now() - timedelta(seconds=7)
            seen = {"suggestion": "normal", "was_suggestion_visible": is_seen, "shown_at": shown_at}
            add_label(project, ann, post, label, **seen)
        for post in range(41 + 20 * week, 61 + 20 * week):
            check(project, ann, post, "gold", "violation", "violation" if post % 4 else "normal")
            add_label(project, ann, post, "normal")
            add_label(project, ben, post, "normal", slot=1)
        clock.moment += WEEK


def test_the_first_week_says_when_figures_come(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 12)
    add_label(project, ann, 1, "normal")
    visit_as(ann)
    page = shown(app.run())
    assert "the first ones on Monday" in page
    assert "About 2 of a hundred posts are known already" in page
    serve_checks(project, 0)
    current_project.project.cache_clear()
    assert "changes no label" not in shown(app.run())


def test_every_share_has_its_interval_and_number(
    app: AppTest, project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock
) -> None:
    work(project, lead, ann, ben, clock)
    visit_as(ann)
    page = shown(app.run())
    assert "<b>80</b><span>labels</span>" in page
    assert "<b>7</b><span>seconds each</span>" in page
    for words, cell in {
        "as the lead had settled it": '75% <small class="whole">60%–86% · 40</small>',
        "as a colleague, each without the other's answer": '100% <small class="whole">91%–100% · 40</small>',
        "as the model, its suggestion in sight": '100% <small class="whole">84%–100% · 20</small>',
        "as the model, its suggestion hidden": '0% <small class="whole">0%–16% · 20</small>',
        "as I said a week or more before": "–",
    }.items():
        assert f"<th>{words}</th><td>{cell}</td>" in page
    assert "it may be leading me" in page
    assert len(app.get("vega_lite_chart")) == 3
    assert "Ben" not in page


def test_a_few_posts_are_no_share(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs, clock: Clock
) -> None:
    ready_queue(project, lead, 12)
    for post in range(1, 6):
        check(project, ann, post, "gold", "violation", "normal")
    clock.moment += WEEK
    visit_as(ann)
    page = shown(app.run())
    assert "<th>as the lead had settled it</th><td><small>too few: 5</small></td>" in page
    assert "Posts that a lead had settled" not in page


def test_it_speaks_chinese(
    app: AppTest, project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock
) -> None:
    work(project, lead, ann, ben, clock)
    visit_as(ann, language="zh")
    page = shown(app.run())
    assert "与组长裁定相同" in page
    assert "settled" not in page
