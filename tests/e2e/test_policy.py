"""A lead in a real browser: the overview names the next step, thresholds are put in force."""

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import IDLE, Server, SignIn
from tests.workbench.making import judge_held_out
from workbench import accounts
from workbench.project import Project
from workbench.thresholds import policy

pytestmark = pytest.mark.browser


def test_a_lead_puts_thresholds_in_force(live_project: Project, serve: Server, sign_in: SignIn) -> None:
    judge_held_out(live_project, accounts.command_line(live_project))
    address = serve(live_project)
    page = sign_in(address, "林", "lead")
    page.goto(f"{address}/overview")
    page.wait_for_selector(IDLE)
    expect(page.get_by_role("region", name="Next")).to_contain_text("More labels still improve the model.")
    page.get_by_role("link", name="Thresholds").click()
    page.locator(".st-key-price-missed input").fill("50")
    page.keyboard.press("Enter")
    page.locator(".st-key-save-1 button").click()
    # The press may arrive together with the new price, before its effect is on screen.
    saved, asked_again = (
        page.get_by_text("In force: version 1"),
        page.get_by_text("The figures have just changed"),
    )
    expect(saved.or_(asked_again).first).to_be_visible()
    if asked_again.is_visible():
        page.wait_for_selector(IDLE)  # while the page redraws, the button moves
        page.locator(".st-key-save-1 button").click()
    expect(page.locator(".title")).to_contain_text("In force: version 1")
    with live_project.database.read() as session:
        (version,) = policy.history(session)
    assert version["prices"]["missed"] == 50
