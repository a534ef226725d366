from pathlib import Path
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tests.workbench.team import cookies_of
from workbench.accounts import Account
from workbench.project import Project, init_project
from workbench.web.identity import cookie_name, visitor_of


def request(cookies: dict[str, str], scheme: str) -> HTTPConnection:
    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    scope: dict[str, Any] = {
        "type": "http",
        "scheme": scheme,
        "server": ("label.example.org", None),
        "path": "/",
        "query_string": b"",
        "headers": [(b"cookie", cookie.encode())],
    }
    return HTTPConnection(scope)


def test_two_projects_on_one_host_keep_their_sign_ins_apart(project: Project, tmp_path: Path) -> None:
    other = init_project(tmp_path / "other")
    names = {cookie_name(each, is_https=https) for each in (project, other) for https in (True, False)}
    assert len(names) == 4
    other.database.dispose()


@pytest.mark.parametrize("is_https", [True, False])
def test_over_https_only_a_cookie_counts_that_no_other_host_can_set(
    project: Project, lead: Account, is_https: bool
) -> None:
    cookies = cookies_of(project, lead, is_https=is_https)
    assert next(iter(cookies)).startswith("__Host-") is is_https
    for scheme in ("https", "wss", "http", "ws"):
        visitor = visitor_of(request(cookies, scheme))
        assert (visitor is not None) is (is_https or scheme in {"http", "ws"})
        assert visitor is None or visitor.account == lead
