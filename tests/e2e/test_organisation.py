"""Coming in by an OpenID Connect provider, in a real browser under the content security policy."""

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import IDLE, PATIENCE_MS, Server
from tests.workbench.web.server.organisations.sign_in_service import CLIENT_SECRET, served
from workbench.project import Project
from workbench.settings import FILE_NAME

pytestmark = pytest.mark.browser


def test_a_person_comes_in_by_the_organisation_and_goes_out(
    browser: Browser, live_project: Project, serve: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKBENCH_OIDC_CLIENT_SECRET", CLIENT_SECRET)
    with served() as service, browser.new_context(locale="zh-CN") as context:
        settings = service.settings()
        lines = [f'{name} = "{settings[name]}"' for name in ("oidc_issuer", "oidc_client_id")]
        groups = [f'{group} = "{role}"' for group, role in settings["group_roles"].items()]
        (live_project.home / FILE_NAME).write_text("\n".join([*lines, "[group_roles]", *groups]))
        context.set_default_timeout(PATIENCE_MS)
        page, address = context.new_page(), serve(live_project)
        page.goto(f"{address}/review")
        page.get_by_role("link", name="用组织账号登录").click()
        page.get_by_role("link", name="Continue").click()
        page.wait_for_selector(IDLE)
        assert page.url == f"{address}/review"
        expect(page.locator(".person")).to_have_attribute("title", "Wei")
        names = {cookie["name"].rpartition("-")[2] for cookie in context.cookies()}
        assert "oidc" not in names
        page.request.post(f"{address}/sign-out", headers={"origin": address})
        page.goto(address)
        expect(page.get_by_role("link", name="用组织账号登录")).to_be_visible()
