"""The Label page as it is used for hours: what moves, what can be corrected, and what becomes of each key press."""

import json

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.tables import Annotation, Draft
from tests.e2e.conftest import LabelPage, Server, SignIn, browser_cookies, seed, wait_until
from tests.workbench.making import different_texts, make_champion
from workbench import accounts
from workbench.project import Project

pytestmark = pytest.mark.browser

LONG = "很长的一条帖子，" * 400
WIDTHS = (390, 820, 1366, 1920)


def desk_of(page: Page) -> LabelPage:
    desk = LabelPage(page)
    desk.wait_until_seen()
    return desk


def labels(project: Project) -> list[str | None]:
    with project.database.read() as session:
        return [row.label for row in session.scalars(select(Annotation).order_by(Annotation.id))]


def press_at_once(page: Page, *codes: str) -> bool:
    """Presses keys faster than anyone reads; returns whether the last press was visibly refused."""
    script = """codes => {
        for (const code of codes) document.body.dispatchEvent(new KeyboardEvent('keydown', {code, bubbles: true}));
        return document.querySelector('.refused') !== null;
    }"""
    is_refused: bool = page.evaluate(script, list(codes))
    return is_refused


def test_the_dock_stays_where_it_is_whatever_the_post_and_the_width(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, [*different_texts(3), LONG, LONG[::-1]])
    page = sign_in(serve(live_project))
    desk = desk_of(page)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        places = set()
        for number in range(4):
            places.add(json.dumps(page.locator(".desk .dock .choices").bounding_box()))
            if number < 3:
                desk.press("s")
        for _ in range(3):
            desk.press("u")
        assert len(places) == 1
        box = page.locator(".desk .choice").first.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        sizes = page.locator(".desk .choice").evaluate_all("all => all.map(one => one.offsetWidth)")
        assert max(sizes) - min(sizes) <= 1
        dock = page.locator(".desk .dock").bounding_box()
        assert dock is not None
        assert dock["y"] + dock["height"] <= 800
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_one_of_the_last_answers_is_chosen_and_changed_by_key_and_the_post_keeps_its_turn(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(8))
    page = sign_in(serve(live_project))
    desk = desk_of(page)
    answered = [desk.press("1") for _ in range(4)]
    shown = desk.wait_until_seen()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.locator(".desk .changing")).to_contain_text(answered[1][:10])
    page.keyboard.press("s")
    expect(page.locator(".desk .notice")).to_contain_text("press Esc first")
    page.keyboard.press("3")
    expect(desk.last).to_contain_text("violation")
    expect(page.locator(".desk .changing")).to_be_hidden()
    desk.wait_until_seen()
    page.keyboard.press("5")
    expect(page.locator(".desk .chip[aria-pressed=true]")).to_have_text("5abuse")
    desk.wait_until_seen()
    page.locator(".desk .chip", has_text="fraud").click()
    expect(page.locator(".desk .chip[aria-pressed=true]")).to_have_text("7fraud")
    assert desk.post.inner_text() == shown
    assert labels(live_project) == ["normal"] * 4 + ["violation"] * 3
    with live_project.database.read() as session:
        reasons = [row.reason for row in session.scalars(select(Annotation).order_by(Annotation.id))]
    assert reasons[-3:] == [None, "辱骂", "欺诈"]


def test_the_models_view_comes_after_the_answer_and_is_drawn_to_scale(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(40))
    shares = [0.03, 0.07, 0.9]
    make_champion(live_project, accounts.command_line(live_project), np.tile(shares, (40, 1)))
    page = sign_in(serve(live_project))
    desk = desk_of(page)
    expect(page.locator(".desk .share")).to_have_count(0)
    # A held-out post has none.
    while page.locator(".desk .share").count() == 0:
        desk.press("1")
    width = "all => all.map(one => one.firstChild.getBoundingClientRect().width / one.getBoundingClientRect().width)"
    assert page.locator(".desk .share .track").evaluate_all(width) == pytest.approx(shares, abs=0.01)
    expect(page.locator(".desk .share .number")).to_have_text(["3%", "7%", "90%"])


def test_a_press_that_comes_too_early_is_visibly_refused_and_labels_nothing(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(6))
    page = sign_in(serve(live_project))
    desk = desk_of(page)
    first = desk.post.inner_text()
    assert press_at_once(page, "Digit1", "Digit1")
    expect(page.locator(".desk .notice")).to_have_text("Too early: look at the post first.")
    expect(desk.post).not_to_have_text(first)
    desk.wait_until_seen()
    assert labels(live_project) == ["normal"]
    page.keyboard.press("g")
    assert press_at_once(page, "Digit1")
    expect(page.locator("dialog.refused, dialog[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    assert labels(live_project) == ["normal"]


def test_a_press_while_the_server_is_busy_is_kept_for_the_post_that_was_seen(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(8))
    page = sign_in(serve(live_project))
    desk = desk_of(page)
    first = desk.post.inner_text()
    with serve.frozen():
        page.keyboard.press("1")
        expect(desk.post).not_to_have_text(first)
        second = desk.post.inner_text()
        page.wait_for_function("() => new Promise(resolve => setTimeout(() => resolve(true), 300))")
        page.keyboard.press("3")
        page.keyboard.press("2")  # only one press is kept
        expect(page.locator(".desk .notice")).to_contain_text("still being saved")
    expect(desk.post).not_to_have_text(second)
    desk.wait_until_seen()
    wait_until(lambda: labels(live_project) == ["normal", "violation"], 10)
    expect(desk.last).to_contain_text(second[:10])


def test_a_reason_pressed_at_once_goes_to_the_answer_that_is_being_saved(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(4))
    page = sign_in(serve(live_project))
    desk_of(page)
    press_at_once(page, "Digit3", "Digit5")
    expect(page.locator(".desk .chip[aria-pressed=true]")).to_have_text("5abuse")
    assert labels(live_project) == ["violation", "violation"]


def test_a_note_that_is_half_written_is_there_after_a_reload_and_for_nobody_else(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(6))
    address = serve(live_project)
    page = sign_in(address)
    desk = desk_of(page)
    shown = desk.post.inner_text()
    page.keyboard.press("n")
    with serve.frozen():
        page.keyboard.type("looks like")
        page.evaluate("dispatchEvent(new Event('beforeunload'))")
    page.reload()
    assert desk.wait_until_seen() == shown
    expect(page.locator("textarea.note")).to_have_value("looks like")
    wait_until(lambda: drafts(live_project) == ["looks like"], 10)
    page.keyboard.press("n")
    page.keyboard.type(" an advert")
    page.locator(".person").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert page.evaluate("Object.keys(sessionStorage).filter(key => key.startsWith('draft:'))") == []
    page.context.add_cookies(browser_cookies(live_project, "Ben", address))
    page.goto(address)
    desk.wait_until_seen()
    expect(page.locator("textarea.note")).to_be_hidden()


def drafts(project: Project) -> list[str]:
    with project.database.read() as session:
        return [draft.note for draft in session.scalars(select(Draft))]


def test_a_server_that_is_away_is_announced_in_the_readers_language_and_takes_no_key(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(6))
    address = serve(live_project)
    page = sign_in(address, locale="zh-CN")
    desk = desk_of(page)
    shown = desk.post.inner_text()
    page.keyboard.press("n")
    serve.stop()
    strip = page.locator(".away-strip")
    expect(strip).to_have_text("服务器没有响应。当前内容会保留，恢复后本提示自动消失。")
    expect(strip).to_be_visible()
    page.keyboard.type("像广告")
    # As long as Streamlit's client needs to show its dialog.
    page.wait_for_function("() => new Promise(resolve => setTimeout(() => resolve(true), 4000))")
    expect(page.locator("[role=dialog]")).to_have_count(0)
    expect(page.locator("textarea.note")).to_have_value("像广告")
    page.keyboard.press("Enter")
    page.keyboard.press("3")
    expect(page.locator(".desk .notice")).to_have_text("未执行：连接已断开。")
    assert desk.post.inner_text() == shown
    serve(live_project, int(address.rsplit(":", 1)[1]))
    expect(strip).to_be_hidden()
    desk.press("3")
    with live_project.database.read() as session:
        (row,) = session.scalars(select(Annotation))
    assert (row.label, row.note) == ("violation", "像广告")


def test_a_reader_who_wants_no_motion_sees_a_refusal_that_does_not_move(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(4))
    page = sign_in(serve(live_project))
    page.emulate_media(reduced_motion="reduce")
    desk_of(page)
    assert press_at_once(page, "Digit1", "Digit1")
    names = page.locator(".desk .refused").evaluate_all(
        "all => all.map(one => getComputedStyle(one).animationName)"
    )
    assert set(names) <= {"marked"}
