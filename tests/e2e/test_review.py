"""A lead's keys in a real browser: a held key and a double press decide one case."""

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from db.tables import Resolution
from tests.e2e.conftest import Server, SignIn, seed
from tests.workbench.making import different_texts
from tests.workbench.team import member
from workbench.labelling import answers
from workbench.project import Project

pytestmark = pytest.mark.browser

READY = "html[data-choice=ready]"


def decisions(project: Project) -> int:
    with project.database.read() as session:
        return session.scalar(select(func.count()).select_from(Resolution)) or 0


@pytest.fixture
def page(live_project: Project, serve: Server, sign_in: SignIn) -> Page:
    seed(live_project, different_texts(40))
    ann = member(live_project, "Ann", "annotator")
    for _ in range(4):
        answers.ask_lead(live_project, ann, answers.hold_posts(live_project, ann)[0].post_id)
    address = serve(live_project)
    page = sign_in(address, "Lin", "lead")
    page.goto(f"{address}/review")
    page.wait_for_selector(READY, state="attached")
    return page


def test_a_held_key_and_a_double_click_decide_one_case_each(live_project: Project, page: Page) -> None:
    post = page.locator(".post")
    first = post.inner_text()
    page.keyboard.down("3")
    for _ in range(20):
        page.keyboard.down("3")  # a held key repeats
    expect(post).not_to_have_text(first)
    page.keyboard.down("3")
    page.wait_for_selector(READY, state="attached")
    page.keyboard.down("3")
    page.keyboard.up("3")
    assert decisions(live_project) == 1
    second = post.inner_text()
    page.locator("[class*=st-key-choose-answer-normal] button").dblclick()
    expect(post).not_to_have_text(second)
    page.wait_for_selector(READY, state="attached")
    assert decisions(live_project) == 2
    page.get_by_role("textbox").click()
    page.keyboard.type("1 2 3 su")
    assert decisions(live_project) == 2
    page.keyboard.press("Escape")
    page.locator(".title").first.click()
    page.keyboard.press("u")
    expect(post).to_have_text(second)
    assert decisions(live_project) == 3  # one more row: the decision is revoked
