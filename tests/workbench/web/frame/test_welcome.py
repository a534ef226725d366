"""The first visit of a role: three steps, once."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.workbench.team import member
from tests.workbench.web.conftest import VisitAs
from workbench import accounts
from workbench.accounts import ROLES, Account
from workbench.people import members
from workbench.people.preferences import read_preferences
from workbench.project import Project
from workbench.web.frame.welcome import STEPS
from workbench.web.pages import PAGES

SCRIPT = """
import streamlit as st
from workbench.web.frame.welcome import STEPS, welcome
from workbench.web.identity import current_account

account = current_account()
pages = {step.page: st.Page(lambda: None, title=step.page, url_path=step.page) for step in STEPS[account.role]}
st.navigation(list(pages.values()), position="hidden")
welcome(account, pages)
"""


def opened() -> AppTest:
    return AppTest.from_string(SCRIPT).run()


def text(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_shown_three_pages_that_it_may_open(
    project: Project, role: str, visit_as: VisitAs
) -> None:
    account = member(project, "某人", role)
    open_pages = {page.name for page in PAGES if page.is_open_to(account)}
    assert {step.page for step in STEPS[role]} <= open_pages
    visit_as(account)
    app = opened()
    for number in range(2):
        assert f"{number + 1} of 3" in text(app)
        app.button(key=f"welcome-next-{number}").click().run()
    assert "3 of 3" in text(app)
    app.button(key="welcome-end-2").click().run()
    assert text(app) == ""
    assert text(opened()) == ""


def test_skipped_once_it_does_not_come_again(project: Project, ann: Account, visit_as: VisitAs) -> None:
    visit_as(ann)
    app = opened()
    app.button(key="welcome-end-0").click().run()
    assert text(app) == ""
    assert read_preferences(project, ann).welcomed_as == "annotator"
    assert text(opened()) == ""


def test_another_role_is_shown_around_again(project: Project, ann: Account, visit_as: VisitAs) -> None:
    visit_as(ann)
    opened().button(key="welcome-end-0").click().run()
    members.change_role(project, accounts.command_line(project), ann.id, "lead")
    visit_as(Account(ann.id, ann.name, "lead"))
    assert "1 of 3" in text(opened())
