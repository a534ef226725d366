"""What starts when by itself stands on the page, and a lead changes it there."""

from datetime import time, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from db.tables import RoundRule
from tests.workbench.making import add_label, posts_of, ready_queue
from tests.workbench.team import member
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import (
    add_round,
    html_of,
    open_round,
    open_screen,
    press,
    put_in_use,
    row_of,
    shown,
)
from workbench.accounts import Account
from workbench.project import Project
from workbench.rounds.automatic import rules
from workbench.rounds.automatic.schedule import OFF, Rule
from workbench.rounds.automatic.upcoming import read_upcoming

SAVE = "FormSubmitter:automatic-form-Save"
NIGHT = Rule(at=time(2), zone="Asia/Shanghai")


def field(app: AppTest, name: str) -> Any:
    fields = [*app.number_input, *app.time_input, *app.selectbox]
    return next(one for one in fields if str(one.key).startswith(f"auto-{name}"))


def rule_of(project: Project) -> Rule:
    with project.database.read() as session:
        return read_upcoming(project, session).rule


@pytest.fixture
def labelled_posts(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 40)
    for number, post in enumerate(posts_of(project, "pool")[:24]):
        add_label(project, lead, post, "normal" if number % 2 else "violation")


def test_it_is_off_until_a_lead_says_when(
    project: Project, lead: Account, visit_as: VisitAs, labelled_posts: None
) -> None:
    visit_as(lead)
    app = open_screen()
    assert "No round starts by itself." in shown(app)
    assert "auto-off" not in {button.key for button in app.button}
    field(app, "labels").set_value(120)
    field(app, "at").set_value(time(2, 15))
    field(app, "zone").set_value("Asia/Shanghai")
    press(app, SAVE)
    assert rule_of(project) == Rule(120, time(2, 15), "Asia/Shanghai")
    text = shown(app)
    assert (
        "A round starts by itself after 96 more labels, or at 02:15 (Asia/Shanghai): 24 new labels so far."
        in text
    )
    assert "Set by 林 on 2026-01-05 09:00." in text
    assert [field(app, name).value for name in ("labels", "at", "zone")] == [
        120,
        time(2, 15),
        "Asia/Shanghai",
    ]


def test_without_a_zone_it_is_that_of_the_server_which_is_named(
    project: Project, lead: Account, visit_as: VisitAs, labelled_posts: None
) -> None:
    visit_as(lead)
    app = open_screen()
    server = f"{project.now().astimezone():%Z}"
    assert field(app, "zone").placeholder == f"that of the server ({server})"
    field(app, "at").set_value(time(2))
    press(app, SAVE)
    assert rule_of(project) == Rule(at=time(2))
    assert f"at 02:00 ({server}): 24 new labels so far." in shown(app)


def test_a_zone_without_a_time_is_nothing(project: Project, lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_screen()
    field(app, "zone").set_value("Asia/Shanghai")
    press(app, SAVE)
    assert rule_of(project) == OFF


def test_the_next_one_is_skipped_and_not_skipped_and_it_is_switched_off(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    rules.set_rule(project, lead, NIGHT)
    visit_as(lead)
    app = open_screen()
    press(app, "auto-skip")
    assert "The next one is skipped." in shown(app)
    press(app, "auto-skip")
    assert "The next one is skipped." not in shown(app)
    press(app, "auto-off")
    assert "No round starts by itself." in shown(app)
    assert rule_of(project) == OFF


def test_what_another_lead_has_changed_meanwhile_is_not_overwritten(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    rules.set_rule(project, lead, NIGHT)
    visit_as(lead)
    app = open_screen()
    project.now.move(minutes=1)  # type: ignore[attr-defined]
    other = member(project, "Lea", "lead")
    rules.set_rule(project, other, Rule(after_labels=50))
    press(app, "auto-off")
    assert "Another lead has changed when rounds start by themselves. Look at it again." in shown(app)
    assert rule_of(project) == Rule(after_labels=50)
    assert field(app, "labels").value == 50


def test_an_annotator_reads_it_without_fields_and_buttons(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    visit_as(ann)
    assert "by themselves" not in shown(open_screen())
    rules.set_rule(project, lead, NIGHT)
    app = open_screen()
    assert "if something is labelled by then: nothing new so far." in shown(app)
    assert not [*app.button, *app.number_input, *app.time_input, *app.selectbox]


def test_the_author_of_a_round_is_the_rule_and_the_lead_who_set_it(
    project: Project, lead: Account, visit_as: VisitAs, labelled_posts: None
) -> None:
    rules.set_rule(project, lead, Rule(after_labels=20))
    assert rules.start_due(project) == 1
    visit_as(lead)
    app = open_screen()
    assert row_of(app, 1)[0] == "waiting for the worker"
    assert row_of(app, 1)[5] == "the rule of 林"
    press(app, "cancel-1")
    open_round(app, 1)
    assert "· the rule of 林</td>" in shown(app)
    assert "started by itself with 24 new labels" in shown(app)


def test_a_round_that_the_gate_put_in_use_is_the_rules_until_a_lead_decides(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    for number, decider in ((1, None), (2, lead.id)):
        add_round(project, lead, number, "promoted", is_automatic=True, decided_by_id=decider)
        put_in_use(project, lead, number, None)
        visit_as(lead)
        assert ("by the rule of 林" in shown(open_screen())) == (decider is None)


def test_it_is_said_in_chinese_and_a_name_is_escaped(
    project: Project, visit_as: VisitAs, labelled_posts: None
) -> None:
    lead = member(project, "<b>林", "lead")
    rules.set_rule(project, lead, Rule(100, time(2), "Asia/Shanghai"))
    add_round(project, lead, 1, "failed", created_at=project.now() - timedelta(days=1), is_automatic=True)
    visit_as(lead, language="zh")
    app = open_screen()
    assert "再有 76 条标注，或到 02:00（Asia/Shanghai），就会自动开始一轮：目前有 24 条新标注。" in shown(app)
    assert "第 1 轮失败了，不会自动重试" in shown(app)
    assert "<b>林 设置的规则" in shown(app)
    assert "<b>林" not in html_of(app)


def test_a_zone_that_this_machine_lacks_is_not_chosen_in_the_form(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    rules.set_rule(project, lead, NIGHT)
    with project.database.write() as session:
        session.get_one(RoundRule, 1).zone = "Mars"
    visit_as(lead)
    app = open_screen()
    assert "This machine knows no time zone Mars" in shown(app)
    assert field(app, "zone").value is None
