"""The Thresholds screen: prices in, thresholds and daily volumes out, saved as a version."""

from html import unescape

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Policy, PostText
from tests.workbench.making import judge_held_out
from tests.workbench.web.conftest import VisitAs
from trainer.statistics.thresholds import Prices
from workbench.accounts import Account
from workbench.project import Project
from workbench.queue import swap
from workbench.thresholds import policy


def screen() -> None:
    from workbench.web.views.thresholds import page as thresholds_page  # noqa: PLC0415 - AppTest runs this function's source alone

    thresholds_page.show()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(screen, default_timeout=20)


def shown(app: AppTest) -> str:
    assert not app.exception
    return unescape(" ".join(element.proto.body for element in app.get("html")))


def press(app: AppTest, key: str) -> None:
    next(button for button in app.button if button.key == key).click().run()


def test_prices_in_thresholds_and_volumes_out(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    judge_held_out(project, lead)
    visit_as(lead)
    app.run()
    for name, price in {"missed": 50.0, "false_alarm": 2.0, "look": 0.5}.items():
        app.number_input(key=f"price-{name}").set_value(price)
    page = shown(app.run())
    expected = policy.propose(policy.read_evidence(project, lead), Prices(50, 2, 0.5))
    for cut in (expected.choice.thresholds.pass_below, expected.choice.thresholds.flag_from):
        assert (f"{cut:.3f} [" if cut <= 1 else "never [") in page
    assert f"{1000 * expected.expected.cost.mean:,.0f} [" in page
    for count in (expected.whole.passed, expected.whole.human, expected.whole.flagged):
        assert f"<b>{count}</b>" in page


def test_nothing_can_be_put_in_force_until_something_has_changed(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    judge_held_out(project, lead)
    policy.save(project, lead, policy.propose(policy.read_evidence(project, lead), Prices(20, 5, 1)))
    visit_as(lead)
    assert "Nothing has changed since version 1." in shown(app.run())
    assert app.button(key="save-2").disabled
    app.number_input(key="price-look").set_value(2.0).run()
    assert not app.button(key="save-2").disabled
    app.number_input(key="price-look").set_value(1.0).run()
    assert app.button(key="save-2").disabled
    app.slider(key="band").set_value((0.5, 0.7)).run()
    assert not app.button(key="save-2").disabled


def test_examples_come_with_a_click_and_as_they_were_written(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    judge_held_out(project, lead)
    with project.database.write() as session:
        for text in session.scalars(select(PostText)):
            text.text = f"<b>{text.text}</b>"
    visit_as(lead)
    assert "close-calls" not in shown(app.run())
    app.get("button_group")[0].set_value("pass").run()
    page = " ".join(element.proto.body for element in app.get("html"))
    assert page.count('<p dir="auto" lang="zh">&lt;b&gt;') == 5


@pytest.mark.parametrize(("language", "sentence"), [("en", "into verdicts"), ("zh", "变成判定")])
def test_without_a_round_the_page_says_what_it_is_for_and_leads_to_the_rounds(
    app: AppTest, lead: Account, visit_as: VisitAs, language: str, sentence: str
) -> None:
    visit_as(lead, language=language)
    page = shown(app.run())
    assert sentence in page
    assert '<a href="/rounds">' in page
    assert not app.button


def test_the_band_tells_how_many_posts_it_would_ask_about(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    judge_held_out(project, lead)
    visit_as(lead)
    app.run()
    app.slider(key="band").set_value((0.5, 0.8))
    page = shown(app.run())
    counts = swap.confidence_histogram(project)
    assert counts.sum() > 0
    assert f"{counts[500:800].sum()} in this band, {counts[:500].sum()} below it" in page


def test_a_lead_puts_them_in_force(app: AppTest, project: Project, lead: Account, visit_as: VisitAs) -> None:
    judge_held_out(project, lead)
    visit_as(lead)
    assert "No thresholds are in force yet." in shown(app.run())
    app.slider(key="band").set_value((0.45, 0.75)).run()
    press(app, "save-1")
    assert "In force: version 1" in shown(app)
    with project.database.read() as session:
        (version,) = policy.history(session)
    assert (version["band"], version["by"]) == ([0.45, 0.75], lead.name)
    assert version["prices"] == Prices(20, 5, 1).to_dict()
    assert app.slider(key="band").value == (0.45, 0.75)


def test_thresholds_of_an_earlier_round_want_another_look(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    judge_held_out(project, lead)
    policy.save(project, lead, policy.propose(policy.read_evidence(project, lead), Prices(20, 5, 1)))
    visit_as(lead)
    assert "not chosen for round" not in shown(app.run())
    with project.database.write() as session:
        first = session.get_one(Policy, 1)
        values = {
            name: getattr(first, name)
            for name in ("band_low", "band_high", "pass_below", "flag_from", "prices")
        }
        session.add(
            Policy(version=2, round_number=None, person_id=lead.id, created_at=project.now(), **values)
        )
    assert "not chosen for round 1" in shown(app.run())


def test_what_is_lacking_is_said_in_chinese(app: AppTest, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead, language="zh")
    assert "还没有在用的模型" in shown(app.run())


def test_an_annotator_may_not(
    app: AppTest, project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    judge_held_out(project, lead)
    visit_as(ann)
    assert "may not do this (set thresholds)" in shown(app.run())
    assert not app.button


def test_a_version_another_lead_has_saved_is_not_passed_over(
    app: AppTest, project: Project, lead: Account, visit_as: VisitAs
) -> None:
    judge_held_out(project, lead)
    visit_as(lead)
    app.run()
    policy.save(project, lead, policy.propose(policy.read_evidence(project, lead), Prices(9, 9, 1)))
    press(app, "save-1")
    assert "Version 1 has come into force meanwhile" in shown(app)
    with project.database.read() as session:
        assert [row["version"] for row in policy.history(session)] == [1]
