"""Coming in, leaving and being sent away, through the real forms in a real browser."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, WebSocket, expect
from sqlalchemy import select

from db.queries.standing import current_labels
from db.tables import Annotation, AuditEntry
from tests.e2e.conftest import IDLE, PATIENCE_MS, LabelPage, Server, SignIn, seed
from tests.workbench.making import different_texts
from tests.workbench.team import PASSWORD, give_password, member
from workbench import accounts
from workbench.errors import NotAllowedError
from workbench.people import members
from workbench.project import Project

pytestmark = pytest.mark.browser

NEW = "another four words here"
SIGNED_OUT_AT = re.compile(r"/sign-in\?ended=1")
MS_TO_CLOSE = 10_000

Open = Callable[[str], Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens an address in a browser of its own, without cookies."""
    contexts: list[BrowserContext] = []

    def open_page(address: str) -> Page:
        context = browser.new_context(locale="en-US")
        context.set_default_timeout(PATIENCE_MS)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        contexts.append(context)
        page = context.new_page()
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()


def enter(page: Page, name: str, password: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def open_own_account(page: Page, name: str) -> None:
    page.locator(".own").get_by_role("button", name=name).click()
    page.get_by_role("link", name="My account").click()


def signed_in(page: Page, name: str) -> Page:
    expect(page.locator(".person")).to_have_attribute("title", name)
    page.wait_for_selector(IDLE)
    return page


def labels_of(project: Project, name: str) -> list[str | None]:
    person = member(project, name, "annotator").id
    with project.database.read() as session:
        rows = session.scalars(current_labels().where(Annotation.person_id == person)).all()
        return [row.label for row in rows]


def actions(project: Project) -> list[str]:
    with project.database.read() as session:
        return list(session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))


def choose_person(page: Page, name: str) -> None:
    page.locator(".st-key-people-person input").click()
    page.get_by_role("option", name=name, exact=True).click()
    expect(page.locator("[class*=st-key-people-disable-]")).to_be_visible()


def disable(page: Page, name: str) -> None:
    choose_person(page, name)
    page.get_by_role("button", name="Disable", exact=True).click()
    expect(page.get_by_text(f"{name} is signed out at once")).to_be_visible()
    page.get_by_role("button", name="Yes, disable").click()
    expect(page.locator("table.rows")).to_contain_text("disabled")


def streams_of(page: Page) -> list[WebSocket]:
    """Filled as the page opens websockets to Streamlit."""
    streams: list[WebSocket] = []
    page.on("websocket", lambda one: streams.append(one) if one.url.endswith("/_stcore/stream") else None)
    return streams


def test_an_invitation_is_made_copied_joined_and_used_up(
    live_project: Project, serve: Server, sign_in: SignIn, visit: Open
) -> None:
    seed(live_project, different_texts(8))
    address = serve(live_project)
    lead = sign_in(address, "林", "lead")
    lead.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lead.get_by_role("link", name="People").click()
    lead.get_by_role("button", name="Make a link").click()
    lead.get_by_role("button", name="Copy to clipboard").click()
    link: str = lead.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(re.escape(address) + r"/join/[\w-]{32}", link)

    rui = visit(link)
    expect(rui.locator("p.note")).to_contain_text("You are invited as annotator.")
    rui.get_by_label("Name").fill("Rui")
    rui.get_by_label("Password").fill("password1234")
    rui.get_by_role("button", name="Join").click()
    expect(rui.get_by_role("alert")).to_contain_text("easily guessed")
    rui.get_by_label("Password").fill(PASSWORD)
    rui.get_by_role("button", name="Join").click()
    LabelPage(signed_in(rui, "Rui")).press("1")
    assert labels_of(live_project, "Rui") == ["normal"]

    expect(visit(link).get_by_role("alert")).to_contain_text("was used, withdrawn or has expired")
    lead.get_by_role("button", name="I have copied it").click()
    expect(lead.locator("table.rows")).to_contain_text("Rui")
    expect(lead.locator(".stCode")).to_have_count(0)


def test_a_wrong_password_is_refused_and_the_right_one_leads_to_the_page_that_was_wanted(
    live_project: Project, serve: Server, visit: Open
) -> None:
    give_password(live_project, member(live_project, "Ann", "annotator"))
    address = serve(live_project)
    page = visit(f"{address}/rounds")
    enter(page, "Ann", "not the password")
    expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong.")
    enter(page, "Ann", PASSWORD)
    signed_in(page, "Ann")
    expect(page).to_have_url(f"{address}/rounds")
    assert actions(live_project)[-2:] == ["sign in refused", "sign in"]


def test_a_sign_out_closes_the_other_page_and_the_stolen_cookie_opens_none(
    live_project: Project, serve: Server, visit: Open
) -> None:
    give_password(live_project, member(live_project, "Ann", "annotator"))
    address = serve(live_project)
    page = visit(f"{address}/sign-in")
    enter(page, "Ann", PASSWORD)
    signed_in(page, "Ann")
    stolen = page.context.cookies()
    other = page.context.new_page()
    streams = streams_of(other)
    other.goto(f"{address}/posts")
    signed_in(other, "Ann")
    page.locator(".person").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{address}/sign-in")
    other.wait_for_url(SIGNED_OUT_AT)
    expect(other.locator("p.note")).to_contain_text("Your session has ended.")
    assert streams
    assert all(stream.is_closed() for stream in streams)

    thief = visit(f"{address}/sign-in")
    thief.context.add_cookies(
        [{"name": one["name"], "value": one["value"], "url": address} for one in stolen]
    )
    thief.goto(f"{address}/posts")
    expect(thief).to_have_url(f"{address}/sign-in?next=/posts")
    assert thief.request.get(f"{address}/_stcore/host-config").status == 401

    enter(other, "Ann", PASSWORD)
    signed_in(other, "Ann")
    expect(other).to_have_url(f"{address}/posts")


def test_who_is_disabled_while_labelling_saves_no_more_and_keeps_what_was_saved(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    seed(live_project, different_texts(8))
    ann = sign_in(serve(live_project))
    desk = LabelPage(ann)
    desk.press("1")
    desk.press("3")
    desk.wait_until_seen()
    # The server of the page learns of it at its next look; a press may come before.
    members.disable(
        live_project, accounts.command_line(live_project), member(live_project, "Ann", "annotator").id
    )
    ann.keyboard.press("2")
    ann.wait_for_url(SIGNED_OUT_AT)
    assert labels_of(live_project, "Ann") == ["normal", "violation"]


def test_the_websocket_of_a_person_disabled_on_the_page_closes_within_seconds(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    address = serve(live_project)
    lead = sign_in(address, "林", "lead")
    ann = sign_in(address)
    streams = streams_of(ann)
    ann.goto(f"{address}/posts")
    signed_in(ann, "Ann")
    lead.goto(f"{address}/people")
    disable(lead, "Ann")
    ann.wait_for_url(SIGNED_OUT_AT, timeout=MS_TO_CLOSE)
    assert streams
    assert all(stream.is_closed() for stream in streams)


def test_an_annotator_gets_nothing_of_the_people_page(
    live_project: Project, serve: Server, sign_in: SignIn
) -> None:
    address = serve(live_project)
    member(live_project, "Secret Name", "annotator")
    page = sign_in(address)
    page.goto(f"{address}/people")
    expect(page).to_have_url(f"{address}/")
    signed_in(page, "Ann")
    expect(page.get_by_role("link", name="People")).to_have_count(0)
    assert "Secret Name" not in page.content()
    with pytest.raises(NotAllowedError):
        members.listing(live_project, member(live_project, "Ann", "annotator"))


def test_a_new_password_ends_the_other_browser_and_is_the_one_to_come_in_with(
    live_project: Project, serve: Server, visit: Open
) -> None:
    give_password(live_project, member(live_project, "Ann", "annotator"))
    address = serve(live_project)
    here, elsewhere = (visit(f"{address}/sign-in") for _ in range(2))
    for page in (here, elsewhere):
        enter(page, "Ann", PASSWORD)
        signed_in(page, "Ann")
    open_own_account(here, "Ann")
    expect(here).to_have_url(f"{address}/account")
    expect(here.locator(".session")).to_have_count(2)
    expect(here.get_by_text("this one")).to_have_count(1)
    here.get_by_label("Old password").fill(PASSWORD)
    here.get_by_label("New password").fill(NEW)
    here.locator(".stFormSubmitButton button").click()
    expect(here.locator(".refusal.done")).to_contain_text("your other sessions have ended")
    expect(here.get_by_label("Old password")).to_have_value("")
    expect(here.get_by_label("New password")).to_have_value("")
    elsewhere.wait_for_url(SIGNED_OUT_AT)
    enter(elsewhere, "Ann", PASSWORD)
    expect(elsewhere.get_by_role("alert")).to_contain_text("Name or password is wrong.")
    enter(elsewhere, "Ann", NEW)
    signed_in(elsewhere, "Ann")


def test_a_session_ended_behind_a_broken_connection_leads_to_the_form_as_well(
    live_project: Project, serve: Server, visit: Open
) -> None:
    """As when a machine wakes after days: nothing told the page."""
    give_password(live_project, member(live_project, "Ann", "annotator"))
    address = serve(live_project)
    page = visit(f"{address}/sign-in")
    enter(page, "Ann", PASSWORD)
    signed_in(page, "Ann")
    serve.stop()
    page.context.clear_cookies()
    serve(live_project, port=int(address.rpartition(":")[2]))
    page.wait_for_url(SIGNED_OUT_AT)


def test_a_broken_connection_alone_signs_nobody_out(
    live_project: Project, serve: Server, visit: Open
) -> None:
    give_password(live_project, member(live_project, "Ann", "annotator"))
    address = serve(live_project)
    page = visit(f"{address}/sign-in")
    enter(page, "Ann", PASSWORD)
    signed_in(page, "Ann")
    serve.stop()
    with page.expect_event("requestfinished", lambda one: one.url.endswith("/_stcore/host-config")):
        serve(live_project, port=int(address.rpartition(":")[2]))
    signed_in(page, "Ann")
    expect(page).to_have_url(f"{address}/")


def test_a_visitor_of_the_demo_chooses_who_to_be(live_project: Project, serve: Server, visit: Open) -> None:
    live_project.demo_mark.touch()
    member(live_project, "Ann", "annotator")
    member(live_project, "林", "lead")
    page = visit(f"{serve(live_project)}/posts")
    expect(page.locator("p.note")).to_contain_text("This is the demo: choose who you are.")
    expect(page.get_by_label("Password")).to_have_count(0)
    page.get_by_role("button", name="Ann").click()
    signed_in(page, "Ann")
    open_own_account(page, "Ann")
    expect(page.locator(".session")).to_have_count(1)
    expect(page.get_by_label("Old password")).to_have_count(0)
