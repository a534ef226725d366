"""A reply is answered below the desk in a real browser: the keys rest while it is typed."""

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import LabelPage, Server, SignIn, seed
from tests.workbench.making import different_texts
from tests.workbench.team import member
from workbench import accounts
from workbench.labelling import answers
from workbench.project import Project
from workbench.review import comments

pytestmark = pytest.mark.browser


def test_typing_a_comment_labels_nothing_and_the_count_goes(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(40))
    ann, lead = member(live_project, "Ann", "annotator"), accounts.command_line(live_project)
    asked = answers.hold_posts(live_project, ann)[0].post_id
    answers.ask_lead(live_project, ann, asked)
    desk = LabelPage(sign_in(serve(live_project)))
    desk.wait_until_seen()
    comments.say(live_project, lead, asked, "<b>see rule 3</b>")
    desk.press("s")
    expect(desk.page.locator("[data-count=replies]")).to_have_text("answers for you: 1")
    expect(desk.page.locator(".st-key-navigation a").first).to_have_text(re.compile(r"Label\s*1"))
    shown = desk.wait_until_seen()
    desk.page.locator(".st-key-replies summary").click()
    expect(desk.page.locator(".comments p")).to_have_text("<b>see rule 3</b>")
    field = desk.page.locator(".st-key-replies textarea")
    field.click()
    desk.page.keyboard.type("123 sfu understood")
    desk.page.get_by_role("button", name="Send").click()
    expect(desk.page.locator("[data-count=replies]")).to_have_count(0)
    expect(field).to_have_value("")
    expect(desk.post).to_have_text(shown)
    (waiting,) = comments.waiting_discussions(live_project, lead)
    assert waiting.remarks[-1].text == "123 sfu understood"
