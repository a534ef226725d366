"""A lead unticks a post of the preview in a real browser: the table is drawn on a canvas."""

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import IDLE, Server, SignIn, seed
from tests.workbench.making import different_texts
from workbench import accounts
from workbench.posts.search import Filter, find
from workbench.project import Project
from workbench.review import bulk_labels

pytestmark = pytest.mark.browser

SPAM = Filter(text="微信")
HEADER, ROW = 35, 35
"""Height in pixels."""


def test_a_post_that_is_unticked_is_not_labelled(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, [f"加微信{text}" for text in different_texts(8)])
    lead = accounts.command_line(live_project)
    first, *others = bulk_labels.preview(live_project, lead, SPAM).post_ids
    address = serve(live_project)
    page = sign_in(address, "Lin", "lead")
    page.goto(f"{address}/posts")
    page.locator(".st-key-search input").fill("微信")
    page.keyboard.press("Enter")
    expect(page.locator(".stMain")).to_contain_text("Posts found: 8")
    page.click(".st-key-tick-all button")
    expect(page.locator(".st-key-selection")).to_contain_text("Chosen: 8")
    page.click(".st-key-look-violation button")
    table = page.locator(".st-key-bulk [data-testid=stDataFrame]")
    expect(table).to_be_visible()
    page.wait_for_selector(IDLE)
    table.click(position={"x": 30, "y": HEADER + ROW / 2})
    page.keyboard.press("Space")
    press = page.locator(".st-key-label-all-violation button")
    expect(press).to_contain_text(f"Label {len(others)} posts")
    press.click()
    expect(page.locator(".stMain")).to_contain_text(f"{len(others)} posts were labelled violation.")
    labelled = {post.post_id for post in find(live_project, lead, Filter(label="violation")).posts}
    assert labelled == set(others)
    assert first not in labelled


def test_what_was_searched_is_highlighted_counted_and_opens_beside_the_list(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, [f"加 微信{text}" for text in different_texts(3)] + different_texts(5)[3:])
    address = serve(live_project)
    page = sign_in(address, "Lin", "lead")
    page.goto(f"{address}/posts")
    page.locator(".st-key-search input").fill("加微信")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-hits-line")).to_contain_text("Posts found: 3")
    expect(page.locator(".hit mark")).to_have_text(["加 微信"] * 3)
    page.locator(".hit p").first.click(
        force=True
    )  # what takes the press is the button stretched over the row
    history = page.locator(".st-key-history")
    expect(history).to_contain_text("What happened")
    list_box, history_box = page.locator(".hit").first.bounding_box(), history.bounding_box()
    assert list_box is not None
    assert history_box is not None
    assert list_box["x"] + list_box["width"] <= history_box["x"]
