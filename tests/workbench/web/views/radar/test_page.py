"""The Radar screen shows leads what the worker wrote."""

from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.team import member
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.overview.radar import Disguise, Drift, Period, Radar, Rising, read_radar, save_radar
from workbench.overview.watch_list import decided_terms
from workbench.project import Project

HOSTILE = "![x](http://evil.example/a.png)<b>红包</b>"
BINS = [0.1] * 10


def screen() -> None:
    from workbench.web.views.radar import page as radar_page  # noqa: PLC0415 - AppTest runs this function's source alone

    radar_page.show()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(screen, default_timeout=10)


def raw(app: AppTest) -> str:
    assert not app.exception
    return " ".join(element.proto.body for element in app.get("html"))


def make_radar() -> Radar:
    risen = [Rising("红包", 40, 2, 5.1, [HOSTILE], [0.0, 0.03])]
    disguises = [Disguise("薇信", "微信", "sound", 12, 0, ["加薇信"], 2.5, [0.0, 0.01])]
    drifts = [Drift("violation", 0.3, BINS, BINS, [HOSTILE]), Drift("certainty", 0.05, BINS, BINS, [])]
    period = Period("import", "<i>.tsv", 1_234, 5_678, risen, disguises, drifts, [])
    week = Period("week", "2026-W03", 10, 0, [], [], [], [])
    return Radar("2026-01-12T09:00:00+00:00", 1, ["微信"], [period, week])


def test_what_was_kept_is_read_again(project: Project, lead: Account) -> None:
    save_radar(project, make_radar())
    assert read_radar(project, lead) == make_radar()


def test_a_lead_sees_words_disguises_and_drift_with_examples_as_they_were_written(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    save_radar(project, make_radar())
    visit_as(lead)
    page = raw(app.run())
    assert "1,234 posts looked at, beside 5,678 imported before" in page
    assert '<div class="name"><b>红包</b></div><div class="rate"><small>now</small> 32</div>' in page
    assert "<b>薇信</b><small>for 微信, sounds alike</small>" in page
    assert "<b>Violation score</b> <span>has shifted</span>" in page
    assert "<b>Certainty of the model in use</b> <span>is as before</span>" in page
    assert "Violation score: population stability index (PSI) 0.30" in page
    assert "加<b>薇信</b>" in page
    assert "微信</div>" in page
    assert '<b>红包</b>"' not in page
    assert "&lt;b&gt;<b>红包</b>&lt;/b&gt;" in page
    assert "<i>.tsv" not in page
    assert "<i>.tsv" in unescape(page)
    assert not [element for element in app.markdown if "evil" in element.value]
    app.segmented_control(key="radar-period").set_value("week").run()
    assert "There is nothing before to compare with." in raw(app)


def test_a_shift_of_too_few_posts_is_not_called_one(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    drift = Drift("violation", 2.85, BINS, BINS, [], is_chance=True)
    save_radar(
        project, Radar("2026-01-12T09:00:00+00:00", 1, [], [Period("import", "a", 1, 9, [], [], [drift])])
    )
    visit_as(lead)
    page = raw(app.run())
    assert "too few posts to tell" in page
    assert "has shifted" not in page


def test_before_the_first_look_it_says_so(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    assert "Nothing to tell yet" in raw(app.run())


def test_annotators_are_refused(app: AppTest, project: Project, ann: Account, visit_as: VisitAs) -> None:
    save_radar(project, make_radar())
    visit_as(ann)
    page = raw(app.run())
    assert "红包" not in page
    assert "Ask a lead" in page


def press(app: AppTest, key: str) -> None:
    next(button for button in app.button if button.key == key).click().run()
    assert not app.exception


def standings(project: Project, lead: Account) -> dict[str, str]:
    return {one.term: one.standing for one in decided_terms(project, lead)}


def test_a_lead_dismisses_a_term_and_brings_it_back(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    save_radar(project, make_radar())
    visit_as(lead)
    app.run()
    press(app, "dismiss_term-rising-0-红包")
    assert standings(project, lead) == {"红包": "dismissed"}
    assert '<div class="name"><b>红包</b>' not in raw(app)
    assert '<div class="dismissed"><b>红包</b>' in raw(app)
    press(app, "show-again-红包")
    assert standings(project, lead) == {}
    assert '<div class="name"><b>红包</b>' in raw(app)


def test_a_lead_watches_a_term_of_the_list_or_another(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    save_radar(project, make_radar())
    visit_as(lead)
    app.run()
    press(app, "watch_term-disguises-0-薇信")
    app.text_input(key="watch-term").set_value("V我50")
    next(
        button for button in app.button if button.label == "Watch" and "form" in str(button.form_id)
    ).click().run()
    assert standings(project, lead) == {"v我50": "watched", "薇信": "watched"}
    page = raw(app)
    assert "counted with the next import" in page
    assert page.count('<div class="name"><b>薇信</b>') == 2
    press(app, "clear_term-watched-薇信")
    assert standings(project, lead) == {"v我50": "watched"}


def test_a_reviewer_sees_the_radar_and_decides_nothing(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    save_radar(project, make_radar())
    visit_as(member(project, "Rae", "reviewer"))
    assert "红包" in raw(app.run())
    assert not app.button
