"""The Overview screen: six figures, one sentence, and their details."""

from datetime import date
from html import unescape

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.making import add_label, add_round, judge_held_out, make_champion, posts_of, ready_queue
from tests.workbench.rounds.test_outlook import measured, put_in_use, score_round
from tests.workbench.team import member
from tests.workbench.web.conftest import VisitAs
from trainer.statistics.proportions import Share
from workbench.accounts import Account
from workbench.overview.figures import Overview, read_overview
from workbench.overview.weeks import Week
from workbench.project import Project
from workbench.web.views.overview import page as overview_page
from workbench.web.views.overview.weeks import _drift

HOSTILE = "<b>![x](http://e)</b>"


def screen() -> None:
    from workbench.web.views.overview import page as overview_page  # noqa: PLC0415 - AppTest runs this function's source alone

    overview_page.show()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(screen, default_timeout=20)


def html_of(app: AppTest) -> str:
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html"))


def shown(app: AppTest) -> str:
    return unescape(html_of(app))


def look(project: Project, lead: Account) -> Overview:
    return read_overview(project, lead, project.now().replace(hour=0))


def test_an_empty_project_is_told_to_begin(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    page = shown(app.run())
    assert "Import posts to begin." in page
    assert "<b>0</b><span>posts</span>" in page
    assert "No labels yet today." in page


def test_six_figures_and_what_stands_behind_them(
    app: AppTest, project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs
) -> None:
    judge_held_out(project, lead, 300)
    for post, labels in {
        1: ("normal", "normal"),
        2: ("normal", "violation"),
        3: ("normal", "normal"),
    }.items():
        for who, label in zip((ann, ben), labels, strict=True):
            add_label(project, who, post, label, suggestion="normal", was_suggestion_visible=who is ann)
    for post, label in ((4, "normal"), (5, "violation")):
        add_label(project, ann, post, "normal")
        add_label(project, ben, post, label, slot=1)
    visit_as(lead)
    page, figures = shown(app.run()), look(project, lead)
    assert figures.agreement is not None
    for value, name in (
        ("300", "posts"),
        (f"{figures.labelled}", "labelled"),
        (f"{figures.in_band}", "model unsure"),
        (f"{figures.below_band}", "less sure still"),
        (f"{figures.agreement.share:.0%}", "agreement of two people"),
        ("–", "macro-F1 of the round in use"),
    ):
        assert f"<b>{value}</b><span>{name}</span>" in page
    assert "100% of the time where it was in sight (3), 67% where it was not (3)" in page
    assert "Ann" in page
    assert len(app.get("vega_lite_chart")) == 1  # the certainties; without a measured round there is no curve
    assert "Label on: the round in use has no measure yet" in page


def test_the_curve_and_the_forecast_are_drawn(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 60)
    for number in range(1, 5):
        add_round(project, lead, number, measured(100 * number, 0.5 + number / 20))
        score_round(project, number, np.tile(np.eye(3), (20, 1)))
    put_in_use(project, 4)
    visit_as(lead)
    page = shown(app.run())
    assert "<b>0.70</b><span>macro-F1 of the round in use ▁▃▆█</span>" in page
    assert "The next 100 should bring" in page
    assert len(app.get("vega_lite_chart")) == 1


def test_once_labels_no_longer_matter_it_turns_to_watching(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 60)
    for number in range(1, 5):
        add_round(project, lead, number, measured(100 * number, 0.7))
        score_round(project, number, np.tile(np.eye(3), (20, 1)))
    put_in_use(project, 4)
    visit_as(lead)
    page = shown(app.run())
    assert "Stop labelling for the model: it hardly changes any more. Watch with 30 blind posts a day" in page
    assert page.index("Week by week") < page.index("What labels have brought")
    assert "random_share = 60" in page


def test_names_are_text(app: AppTest, project: Project, lead: Account, visit_as: VisitAs) -> None:

    ready_queue(project, lead, 20)
    add_label(project, member(project, HOSTILE, "annotator"), 1, "normal")
    visit_as(lead)
    app.run()
    assert HOSTILE in shown(app)
    assert HOSTILE not in html_of(app)


def test_it_speaks_chinese(app: AppTest, project: Project, lead: Account, visit_as: VisitAs) -> None:
    ready_queue(project, lead, 60)
    visit_as(lead, language="zh")
    assert "请再标 20 条帖子" in shown(app.run())


def test_labelled_posts_that_the_table_lacks_are_explained(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 60)
    for post in [*posts_of(project, "pool")[:3], *posts_of(project, "test")[:2]]:
        add_label(project, lead, post, "normal", origin="import", source="modlog")
    visit_as(lead)
    page = shown(app.run())
    assert "<b>5</b><span>labelled</span>" in page
    assert "not used yet: 2 are held out" in page


def test_the_weeks_follow_a_round_that_comes_into_use_and_posts_that_arrive(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview_page, "_read", lambda *_key: look(project, lead))
    ready_queue(project, lead, 60)
    visit_as(lead)
    assert "Week by week" not in shown(app.run())
    make_champion(project, lead, np.full((60, 3), 1 / 3))
    assert "<td>2026-01-05</td><td>60</td>" in shown(app.run())


def test_an_annotator_does_not_see_it(app: AppTest, lead: Account, ann: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app.run()
    visit_as(ann)
    page = shown(app.run())
    assert "Ann may not do this" in page
    assert "posts</span>" not in page


def test_a_week_is_told_with_its_interval(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    week = Week(date(2026, 1, 5), Share(0.051, (0.03, 0.09), 210, 200.0), 1_234, 0.31)
    monkeypatch.setattr(overview_page, "read_weeks", lambda _project, _account: [week])
    visit_as(lead)
    page = shown(app.run())
    cells = "".join(
        f"<td>{cell}</td>" for cell in ("2026-01-05", "1,234", "210", "5.1% [3.0%, 9.0%]", "moved (0.31)")
    )
    assert cells in page


@pytest.mark.parametrize(
    ("drift", "word"), [(None, "–"), (0.02, "as before"), (0.1, "changed"), (0.25, "moved")]
)
def test_drift_is_told_in_a_word(drift: float | None, word: str) -> None:
    assert _drift(drift).startswith(word)
