"""WCAG 2.2 A and AA by axe-core, and the keyboard: every page of the demo, both themes, laptop and phone.

A laptop at 200% zoom shows what a window of half its width does, so the phone is the harder case.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.e2e.conftest import PATIENCE_MS, Server, Theme
from tests.e2e.demo import ANNOTATOR, demo_project, enter, visit
from workbench.demo.story import ADMIN
from workbench.project import Project
from workbench.web.pages import PAGES
from workbench.web.server.shell import STREAMLIT_NAMES

pytestmark = pytest.mark.browser

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
"""`npm ci --prefix tests/e2e` brings it."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LAPTOP, PHONE = {"width": 1366, "height": 900}, {"width": 390, "height": 844}
THEMES: tuple[Theme, ...] = ("light", "dark")
MOST_TABS = 120

LOOK = """element => {
    // A field's ring is drawn by one of the boxes around it.
    const looks = [];
    for (let box = element, height = 0; box && height < 5; box = box.parentElement, height++) {
        const style = getComputedStyle(box);
        looks.push([style.outline, style.boxShadow, style.borderColor, style.backgroundColor, style.textDecoration, style.color]);
    }
    return JSON.stringify(looks);
}"""
NAMED = """element => !!(element.getAttribute('aria-label') || element.innerText?.trim() || element.title
    || element.labels?.length || element.getAttribute('aria-labelledby') || element.placeholder)"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    demo = demo_project(tmp_path_factory.mktemp("accessible") / "demo")
    yield demo
    demo.database.dispose()


@pytest.fixture
def address(project: Project, serve: Server) -> str:
    return serve(project)


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(f"axe.run(document, {{runOnly: {json.dumps(RULES)}}})")
    return [
        f"{fault['id']}: {fault['help']}: {[part['target'] for part in fault['nodes']][:5]}"
        for fault in found["violations"]
    ]


@pytest.mark.parametrize("person", [ADMIN, ANNOTATOR])
def test_axe_finds_nothing_on_any_page_in_either_theme(browser: Browser, address: str, person: str) -> None:
    faults = {}
    context = browser.new_context(locale="zh-CN", viewport=LAPTOP)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = enter(context, address, person)
    names = [screen.name for screen in PAGES if person == ADMIN or screen.right is None]
    for name in names:
        for size in (LAPTOP, PHONE):
            page.set_viewport_size(size)  # type: ignore[arg-type]
            visit(page, address, name)
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                page.wait_for_function(
                    "theme => getComputedStyle(document.querySelector('.stApp')).colorScheme === theme",
                    arg=theme,
                )
                if found := violations(page):
                    faults[f"{name}, {size['width']} px, {theme}"] = found
    context.close()
    assert faults == {}


@pytest.mark.parametrize("path", ["/sign-in", "/join/nothing"])
def test_axe_finds_nothing_on_the_pages_before_signing_in(browser: Browser, address: str, path: str) -> None:
    for theme in THEMES:
        context = browser.new_context(locale="zh-CN", color_scheme=theme)
        page = context.new_page()
        page.goto(address + path)
        assert violations(page) == []
        context.close()


def test_the_tabulator_key_reaches_everything_in_order_and_shows_where_it_is(
    browser: Browser, address: str
) -> None:
    context = browser.new_context(locale="zh-CN", viewport=LAPTOP)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = enter(context, address, ADMIN)
    unseen, nameless = {}, {}
    for screen in PAGES:
        visit(page, address, screen.name)
        looks = _walk(page)
        assert len(looks) > len(PAGES), screen.name
        if hidden := [what for what, focused, left, _ in looks if focused == left]:
            unseen[screen.name] = hidden
        if without := [what for what, *_, is_named in looks if not is_named]:
            nameless[screen.name] = without
    context.close()
    assert unseen == {}
    assert nameless == {}


def _walk(page: Page) -> list[tuple[str, str, str, bool]]:
    """What has the focus after each press, how it looks with it and after, and whether it has a name."""
    looks = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        element = page.evaluate_handle("document.activeElement").as_element()
        if element is None or element.evaluate("one => one === document.body"):
            break
        focused = element.evaluate(LOOK)
        element.evaluate("one => one.blur()")
        left = element.evaluate(LOOK)
        # Focus without the ring of `focus-visible` would not move the order on.
        element.evaluate("one => one.focus()")
        looks.append(
            (element.evaluate("one => one.outerHTML.slice(0, 120)"), focused, left, element.evaluate(NAMED))
        )
    return looks


ENGLISH = """() => [...document.querySelectorAll('*')].filter(element => element.checkVisibility() && !element.closest('[aria-hidden=true]')).flatMap(element =>
    ['aria-label', 'title', 'placeholder', 'aria-valuetext'].map(name => element.getAttribute(name)))
    .filter(text => text && /[A-Za-z]{3}/.test(text) && !/[\\u4e00-\\u9fff]/.test(text))"""
RENAMED = "names => names.every(name => !document.querySelector(`[aria-label='${name}'], [title='${name}']`))"
OF_THEMSELVES = re.compile(r"English|[\w.-]+\.(tsv|jsonl|json|csv|xlsx)|Chrome.*|yyyy.*")
"""Names that are the same in every language."""


def test_screen_readers_hear_no_english_on_a_chinese_page(browser: Browser, address: str) -> None:
    context = browser.new_context(locale="zh-CN", viewport=LAPTOP)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE_MS)
    page = enter(context, address, ADMIN)
    english: dict[str, list[str]] = {}
    for screen in PAGES:
        visit(page, address, screen.name)
        # The names are exchanged when the browser is idle.
        page.wait_for_function(RENAMED, arg=list(STREAMLIT_NAMES))
        shown = page.evaluate(ENGLISH)
        if left := [name for name in shown if not OF_THEMSELVES.fullmatch(name)]:
            english[screen.name] = left
    context.close()
    assert english == {}
