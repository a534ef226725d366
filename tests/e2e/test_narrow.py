"""All pages on a phone, in one visit: nothing wider than the screen, nothing pale, nothing refused by the browser."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.e2e.conftest import IDLE, Server, SignIn
from tests.workbench.making import judge_held_out, write_tsv
from tests.workbench.rounds.test_behaviour import always, save_behaviour
from tests.workbench.web.views.radar.test_page import make_radar
from trainer.statistics.thresholds import Prices
from workbench import accounts
from workbench.accounts import Account
from workbench.imports.intake import import_rows
from workbench.imports.tsv import open_tsv
from workbench.overview.radar import save_radar
from workbench.project import Project
from workbench.thresholds import policy
from workbench.web.pages import PAGES

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
LONG_NAME = f"论坛导出_{'all_boards_' * 8}.tsv"
LEGIBLE = 4.5
PROBES_OF_STREAMLIT = ("/_stcore/health", "/_stcore/host-config")
"""Below the address of a page, its script looks for the server there first, and finds it at the root."""

OVERFLOW = """() => [document.documentElement, ...document.querySelectorAll('.stMain')]
    .map(box => box.scrollWidth - box.clientWidth)"""
PALEST = """selector => {
    const pixel = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const light = colour => {
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...pixel.getImageData(0, 0, 1, 1).data].map(value => value / 255)
            .map(value => value <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b + .05;
    };
    const ground = element => {
        const colour = getComputedStyle(element).backgroundColor;
        return colour === 'rgba(0, 0, 0, 0)' ? ground(element.parentElement) : colour;
    };
    const contrasts = [...document.querySelectorAll(selector)].map(element => {
        const two = [light(getComputedStyle(element).color), light(ground(element))];
        return Math.max(...two) / Math.min(...two);
    });
    return Math.min(Infinity, ...contrasts);
}"""


def fill(project: Project, lead: Account) -> None:
    """Something on each page, a file with a long name among the imports, thresholds in force."""
    judge_held_out(project, lead)
    save_behaviour(project, 1, always(0, champion=2))
    save_radar(project, make_radar())
    file = write_tsv(project.home / LONG_NAME, [{"id": "long", "text": "A" * 300, "board": "闲聊"}])
    with open_tsv(file) as source:
        import_rows(project, lead, source)
    proposal = policy.propose(policy.read_evidence(project, lead), Prices(missed=20, false_alarm=5, look=1))
    policy.save(project, lead, proposal, low=0.4, high=0.6, expected_version=0)


def test_every_page_fits_a_phone_and_is_legible_in_both_themes(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    fill(live_project, accounts.command_line(live_project))
    address = serve(live_project)
    page = sign_in(address, "林", "lead")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if is_error(message) else None)
    for screen in PAGES:
        page.goto(f"{address}/{screen.name}")
        page.wait_for_selector(IDLE)
        expect(page.locator(".title").first).to_be_visible()
        assert page.evaluate(OVERFLOW) == [0, 0], screen.name
        expect(page.get_by_role("dialog")).to_have_count(0)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            expect(page.locator(".stApp")).to_have_css("color-scheme", theme)
            assert palest(page) >= LEGIBLE, (screen.name, theme)
        if screen.name == "rounds":
            page.click(".st-key-behaviour summary")
            expect(page.locator(".kind").first).to_be_visible()
            assert page.evaluate(OVERFLOW) == [0, 0], "behaviour"
        if screen.name == "posts":
            expect(page.locator(".hit p").first).to_be_visible()
    assert refused == []


def is_error(message: ConsoleMessage) -> bool:
    path = urlsplit(message.location["url"]).path
    return message.type == "error" and not path.endswith(PROBES_OF_STREAMLIT)


def palest(page: Page) -> float:
    """The least contrast of a coloured word or a button of the primary colour with what is behind it."""
    ratio: float = page.evaluate(PALEST, "button[kind^=primary]:enabled p, .label, .quiet")
    return ratio
