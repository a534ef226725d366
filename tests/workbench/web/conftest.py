"""The web process's one project is the test's, and its visitor whoever the test says."""

from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit.runtime.context import StreamlitCookies

from workbench.accounts import Account
from workbench.project import Project
from workbench.web import current_project, identity
from workbench.web.server import sign_in
from workbench.web.server.throttle import Throttle
from workbench.web.wording.i18n import COOKIE as LANGUAGE_COOKIE

VisitAs = Callable[..., None]


@pytest.fixture(autouse=True)
def served_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(current_project, "open_project", lambda _home: project)
    monkeypatch.setattr(sign_in, "throttle", Throttle())
    current_project.project.cache_clear()
    yield
    current_project.project.cache_clear()


@pytest.fixture
def visit_as(project: Project, monkeypatch: pytest.MonkeyPatch) -> VisitAs:
    """Scripts run for this person from now on, as if their browser had sent the cookie."""

    def visit(account: Account, *, language: str = "en") -> None:
        cookies = {identity.COOKIE: identity.make_cookie(project, account), LANGUAGE_COOKIE: language}
        monkeypatch.setattr(type(st.context), "cookies", property(lambda _self: StreamlitCookies(cookies)))

    return visit
