"""The base encoder on the Rounds screen: offered, under way, in use, turned off."""

import json

from db.tables import Adaptation
from tests.workbench.making import add_adaptation, different_texts, import_texts
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import html_of, open_screen, press, shown
from trainer.messages import Message
from workbench.accounts import Account
from workbench.adapting import lifecycle
from workbench.imports.preparing import prepare
from workbench.project import Project

OFFER = "Before the first round, the base encoder can read this forum's posts"


def fill(project: Project, lead: Account) -> None:
    import_texts(project, lead, different_texts(320))
    prepare(project)


def adaptation_of(project: Project, number: int) -> Adaptation:
    with project.database.read() as session:
        return session.get_one(Adaptation, number)


def test_a_lead_is_offered_one_and_starts_it(project: Project, lead: Account, visit_as: VisitAs) -> None:
    fill(project, lead)
    visit_as(lead)
    app = open_screen()
    assert OFFER in shown(app)
    app.number_input(key="adapt-minutes").set_value(3.0)
    press(app, "FormSubmitter:adapt-Adapt it")
    row = adaptation_of(project, 1)
    assert (row.state, row.minutes) == ("queued", 3.0)
    assert "Waiting for the worker." in shown(app)
    assert not [button for button in app.button if button.key.startswith("FormSubmitter:start")]


def test_an_annotator_sees_it_run_and_cannot_cancel_it(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    fill(project, lead)
    lifecycle.start(project, lead)
    visit_as(ann)
    app = open_screen()
    assert "The base encoder is being adapted to this forum" in shown(app)
    assert not [button for button in app.button if button.key.startswith("cancel")]


def test_its_progress_is_shown_and_a_lead_cancels_it(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    fill(project, lead)
    add_adaptation(project, lead, state="running", is_running=True, is_in_use=False, facts=None)
    file = lifecycle.log_folder(project, 1) / "adapting.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"step": 105, "steps": 420, "seconds_left": 315.0}) + "\n", encoding="utf-8")
    visit_as(lead)
    app = open_screen()
    (bar,) = app.get("progress")
    assert bar.proto.value == 25
    assert "about 05:15 more" in bar.proto.text
    press(app, "cancel-adaptation-1")
    assert adaptation_of(project, 1).state == "cancelled"


def test_the_one_in_use_is_described_chosen_for_rounds_and_turned_off(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    fill(project, lead)
    add_adaptation(project, lead, posts=320, purged=2)
    visit_as(lead)
    app = open_screen()
    text = shown(app)
    assert "Rounds train on adaptation 1 of " in text
    assert "900 posts, 12,345 tokens read. 2 of these posts were purged since." in text
    assert "The adapted base encoder has read posts that were purged since." in text
    choice = next(field for field in app.selectbox if field.key == "base")
    assert (choice.value, choice.options[:2]) == ("base-0001", ["adapted to this forum (1)", "starter"])
    press(app, "adapt-off")
    assert not adaptation_of(project, 1).is_in_use
    assert "Rounds train on the encoder as it came." in shown(app)


def test_a_failure_is_said_in_the_readers_language(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    fill(project, lead)
    failure = Message("{step} failed: {reason}", step="Adapting", reason="<b>x</b>").to_dict()
    add_adaptation(project, lead, state="failed", is_in_use=False, facts=None, failure=failure)
    visit_as(lead, language="zh")
    app = open_screen()
    assert "第 1 次适应：适应失败：<b>x</b>" in shown(app)
    assert "<b>x</b>" not in html_of(app)
