"""Points the web process at the test's project, and sets its visitor."""

import sys
from collections.abc import Callable, Iterator
from functools import cache

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.components.v2.manifest_scanner import scan_component_manifests
from streamlit.runtime.context import StreamlitCookies

from tests.workbench.team import cookies_of
from workbench.accounts import Account
from workbench.project import Project
from workbench.web import current_project
from workbench.web.server import entrance
from workbench.web.server.throttle import Throttle
from workbench.web.wording.i18n import COOKIE as LANGUAGE_COOKIE

VisitAs = Callable[..., None]


@pytest.fixture(autouse=True, scope="session")
def components_scanned_once() -> Iterator[None]:
    """Each AppTest scans every installed package for Streamlit components; one scan is enough."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(scan_component_manifests))
        yield


@pytest.fixture(autouse=True)
def main_module_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page run by AppTest becomes `__main__`, which a process that a later test spawns would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture(autouse=True)
def served_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(current_project, "open_project", lambda _home: project)
    monkeypatch.setattr(entrance, "throttle", Throttle())
    current_project.opened.cache_clear()
    current_project.project.cache_clear()
    yield
    current_project.opened.cache_clear()
    current_project.project.cache_clear()


@pytest.fixture
def visit_as(project: Project, monkeypatch: pytest.MonkeyPatch) -> VisitAs:
    """Later script runs belong to this person, as if their browser had sent the cookie."""

    def visit(account: Account, *, language: str = "en") -> None:
        cookies = cookies_of(project, account) | {LANGUAGE_COOKIE: language}
        monkeypatch.setattr(type(st.context), "cookies", property(lambda _self: StreamlitCookies(cookies)))

    return visit
