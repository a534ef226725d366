"""The browser's console stays empty on every page: no failed request, no error, nothing refused by the policy."""

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import IDLE, Server, SignIn, Theme
from tests.workbench.making import judge_held_out
from workbench import accounts
from workbench.project import Project
from workbench.web.pages import PATHS

pytestmark = pytest.mark.browser


def complaints(page: Page) -> list[str]:
    """Filled while the page is used."""
    lines: list[str] = []
    page.on("console", lambda line: lines.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: lines.append(str(error)))
    page.on("requestfailed", lambda request: lines.append(f"{request.url}: {request.failure}"))
    page.on(
        "response",
        lambda answer: lines.append(f"{answer.url}: {answer.status}") if answer.status >= 400 else None,
    )
    return lines


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_complains(live_project: Project, serve: Server, sign_in: SignIn, theme: Theme) -> None:
    judge_held_out(live_project, accounts.command_line(live_project))
    address = serve(live_project)
    page = sign_in(address, "林", "lead", theme=theme)
    lines = complaints(page)
    for path in sorted(PATHS):
        page.goto(f"{address}{path}")
        page.wait_for_selector(IDLE)
        page.wait_for_load_state("networkidle")
        assert lines == [], path
