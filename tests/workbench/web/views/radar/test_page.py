"""The Radar screen shows leads what the worker wrote."""

from html import unescape

import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.overview.radar import Disguise, Drift, Period, Radar, Rising, read_radar, save_radar
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
    assert "<b>红包</b></td><td>40</td><td>2</td>" in page
    assert "<b>薇信</b></td><td>微信</td><td>sounds alike</td><td>12</td>" in page
    assert "probability of a violation: has shifted (PSI 0.30)" in page
    assert "certainty of the model in use: is as before (PSI 0.05)" in page
    assert "There is nothing before to compare with." in page
    assert "looked for: 微信" in page
    assert '<b>红包</b>"' not in page
    assert "&lt;b&gt;红包&lt;/b&gt;" in page
    assert "<i>.tsv" not in page
    assert "<i>.tsv" in unescape(page)
    assert not [element for element in app.markdown if "evil" in element.value]


def test_a_shift_of_too_few_posts_is_not_called_one(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    drift = Drift("violation", 2.85, BINS, BINS, [], is_chance=True)
    save_radar(
        project, Radar("2026-01-12T09:00:00+00:00", 1, [], [Period("import", "a", 1, 9, [], [], [drift])])
    )
    visit_as(lead)
    page = raw(app.run())
    assert "too few posts to tell (PSI 2.85)" in page
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
