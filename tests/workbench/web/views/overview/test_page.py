"""The Overview screen: the next action, four figures, and their details."""

from dataclasses import replace
from datetime import date
from html import unescape
from typing import get_args

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.making import add_label, add_round, judge_held_out, make_champion, posts_of, ready_queue
from tests.workbench.rounds.test_outlook import measured, put_in_use, score_round
from tests.workbench.team import member
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import PER_LABEL
from trainer.statistics.proportions import Share
from workbench.accounts import Account
from workbench.overview.advice import Advice, Step
from workbench.overview.figures import Overview, read_overview
from workbench.overview.weeks import Week
from workbench.project import Project
from workbench.web.pages import PATHS
from workbench.web.views.overview import page as overview_page
from workbench.web.views.overview.action import ACTIONS
from workbench.web.views.overview.weeks import _drift
from workbench.web.wording.i18n import LANGUAGES, catalogue

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
    assert "<p>There are no posts yet.</p>" in page
    assert '<a class="button primary" href="/posts">Import posts</a>' in page
    assert "of 0 posts, 0 new" in page
    assert "No labels yet today." in page


def test_the_one_next_action_has_its_sentence_and_its_button(
    app: AppTest, project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 60)
    for who, label, slot in ((ann, "normal", 0), (ben, "violation", 1)):
        add_label(project, who, 1, label, slot=slot)
    visit_as(lead)
    page = shown(app.run())
    assert "<p>Posts that wait for a lead, as people disagree or ask: 1.</p>" in page
    assert '<a class="button primary" href="/review">Look at them</a>' in page


@pytest.mark.parametrize("step", list(get_args(Step)))
def test_each_step_has_an_action_that_is_told_in_both_languages(step: Step) -> None:
    action = ACTIONS[step]
    values = {"count": "3", "label": "x"}
    for text in (action.sentence, action.button):
        for language in LANGUAGES:
            assert "{" not in catalogue(language).gettext(text).format(**values)
        assert catalogue("zh").gettext(text) != text
    assert action.address in PATHS


def test_the_statistics_stand_one_fold_down(
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
    app.run()
    statistics = next(fold for fold in app.expander if fold.label == "Statistics")
    text = " ".join(element.proto.body for element in statistics.get("html"))
    assert "100% of the time where it was in sight (3), 67% where it was not (3)" in text
    assert "alpha" in text
    assert "alpha" not in shown(app).replace(unescape(text), "")
    assert "Ann" in shown(app)
    # The certainties; without a measured round there is no curve.
    assert len(app.get("vega_lite_chart")) == 1


def test_the_curve_and_the_forecast_are_drawn(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 60)
    for number in range(1, 5):
        report = measured(100 * number, 0.5 + number / 20)
        report["metrics"]["per_label"] = PER_LABEL
        add_round(project, lead, number, report)
        score_round(project, number, np.tile(np.eye(3), (20, 1)))
    put_in_use(project, 4)
    visit_as(lead)
    page = shown(app.run())
    assert "<span>violations caught</span><b>75%</b>" in page
    assert "The next 100 should bring" in page
    assert len(app.get("vega_lite_chart")) == 2


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
    assert "More labels hardly change the model: 30 blind labels a day are enough to watch it." in page


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
    page = shown(app.run())
    assert "再标 20 条即可开始第一轮" in page
    assert '<h2 id="next">下一步</h2>' in page


def test_labelled_posts_that_the_table_lacks_are_explained(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 60)
    for post in [*posts_of(project, "pool")[:3], *posts_of(project, "test")[:2]]:
        add_label(project, lead, post, "normal", origin="import", source="modlog")
    visit_as(lead)
    page = shown(app.run())
    assert "<span>labelled</span><b>5</b>" in page
    assert "not used yet: 2 are held out" in page


def test_the_weeks_follow_a_round_that_comes_into_use_and_posts_that_arrive(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview_page, "_read", lambda *_key: look(project, lead))
    ready_queue(project, lead, 60)
    visit_as(lead)
    assert "each week's share of violations stands here" in shown(app.run())
    make_champion(project, lead, np.full((60, 3), 1 / 3))
    assert '<td>01-05</td><td class="number">60</td>' in shown(app.run())


def test_an_annotator_does_not_see_it(app: AppTest, lead: Account, ann: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app.run()
    visit_as(ann)
    page = shown(app.run())
    assert "Ann may not do this" in page
    assert '<div class="headline">' not in page


def test_a_week_is_told_with_its_interval(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    week = Week(date(2026, 1, 5), Share(0.051, (0.03, 0.09), 210, 200.0), 1_234, 0.31)
    monkeypatch.setattr(overview_page, "read_weeks", lambda _project, _account: [week])
    visit_as(lead)
    page = shown(app.run())
    share = '5.1% <small class="whole">3.0–9.0%</small>'
    cells = "".join(f'<td class="number">{cell}</td>' for cell in ("1,234", "210", share, "moved"))
    assert f"<td>01-05</td>{cells}" in page
    assert "(PSI): 01-05 0.31." in page


def test_to_watch_the_settings_are_told(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    week = Week(date(2026, 1, 5), Share(0.051, (0.03, 0.09), 210, 200.0), 1_234, 0.31)
    monkeypatch.setattr(overview_page, "read_weeks", lambda _project, _account: [week])
    figures = look(project, lead)
    monkeypatch.setattr(overview_page, "_read", lambda *_key: replace(figures, advice=Advice("watch", 30)))
    visit_as(lead)
    page = shown(app.run())
    assert "random_share = 60" in page
    assert "30 posts a day, labelled without a suggestion in sight, tell a week's share of 5.1%" in page


@pytest.mark.parametrize(
    ("drift", "word"), [(None, "–"), (0.02, "as before"), (0.1, "changed"), (0.25, "moved")]
)
def test_drift_is_told_in_a_word(drift: float | None, word: str) -> None:
    assert _drift(drift).startswith(word)
