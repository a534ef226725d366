"""Signing in with a password, joining by a link, and what slows guessing down."""

from collections.abc import Iterator
from dataclasses import replace
from http.cookies import SimpleCookie
from urllib.parse import quote

import httpx2 as httpx
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from db.tables import AuditEntry
from tests.workbench.team import PASSWORD, give_password
from workbench import accounts
from workbench.accounts import Account
from workbench.people import invitations, members
from workbench.project import Project
from workbench.settings import Settings
from workbench.web import current_project
from workbench.web.identity import cookie_name
from workbench.web.pages import PATHS
from workbench.web.server import entrance
from workbench.web.server.serve import MIDDLEWARE, ROUTES
from workbench.web.server.throttle import ALL_TRIES_AT_ONCE, TRIES_AT_ONCE, Throttle

ADDRESS = "http://127.0.0.1:8501"
ORIGIN = {"origin": ADDRESS}
ANN = {"name": "Ann", "password": PASSWORD}


async def page(_request: Request) -> Response:
    return Response()


@pytest.fixture
def client(project: Project, ann: Account) -> Iterator[TestClient]:
    give_password(project, ann)
    app = Starlette(routes=[*ROUTES, *(Route(path, page) for path in PATHS)], middleware=MIDDLEWARE)
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as test_client:
        yield test_client


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "throttle", Throttle(lambda: 0.0))


def enter(client: TestClient, **fields: str) -> None:
    answer = client.post("/sign-in", data=ANN | fields, headers=ORIGIN)
    assert answer.status_code == 303, answer.text


def is_inside(client: TestClient) -> bool:
    return client.get("/").status_code == 200


def set_cookies(answer: httpx.Response) -> SimpleCookie:
    cookies = SimpleCookie()
    for header in answer.headers.get_list("set-cookie"):
        cookies.load(header)
    return cookies


def serve_with(monkeypatch: pytest.MonkeyPatch, project: Project, **settings: object) -> None:
    changed = Settings.model_validate(project.settings.model_dump() | settings)
    monkeypatch.setattr(current_project, "open_project", lambda _home: replace(project, settings=changed))
    current_project.opened.cache_clear()
    current_project.project.cache_clear()


@pytest.mark.parametrize("path", sorted(PATHS))
def test_every_page_is_returned_to_after_signing_in_and_after_switching_the_language(
    client: TestClient, path: str
) -> None:
    assert client.get(path).headers["location"] == f"/sign-in?next={quote(path)}"
    assert client.get("/language/zh", params={"next": path}).headers["location"] == path
    signed_in = client.post("/sign-in", data=ANN | {"next": path}, headers=ORIGIN)
    assert signed_in.headers["location"] == path


def test_after_the_end_of_a_session_the_form_says_so(client: TestClient) -> None:
    assert "Your session has ended." in client.get("/sign-in?ended=1&next=/posts").text
    assert "Your session has ended." not in client.get("/sign-in?next=/posts").text


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "/nowhere"])
def test_nobody_is_sent_to_another_site(client: TestClient, wanted: str) -> None:
    answer = client.post("/sign-in", data=ANN | {"next": wanted}, headers=ORIGIN)
    assert answer.headers["location"] == "/"
    assert client.get("/language/zh", params={"next": wanted}).headers["location"] == "/sign-in"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: TestClient, project: Project) -> None:
    answer = client.post("/sign-in", data=ANN, headers=ORIGIN)
    cookie = set_cookies(answer)[cookie_name(project, is_https=False)]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "lax", "/")


def test_over_https_the_cookie_is_for_this_host_and_https_alone(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, project, public_url="https://label.example.org")
    headers = {"host": "label.example.org", "origin": "https://label.example.org"}
    answer = client.post("/sign-in", data=ANN, headers=headers)
    cookie = set_cookies(answer)[cookie_name(project, is_https=True)]
    assert cookie.key.startswith("__Host-")
    assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


def test_no_password_is_taken_from_another_machine_without_https(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, project, allowed_hosts=("box",))
    answer = client.post("/sign-in", data=ANN, headers={"host": "box:8501", "origin": "http://box:8501"})
    assert answer.status_code == 403
    assert "https alone" in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("name", ["Ann", "  ann ", "\u0410nn"])
def test_a_name_is_the_one_that_it_looks_like(client: TestClient, name: str) -> None:
    enter(client, name=name)
    assert is_inside(client)


def test_wrong_passwords_and_names_are_refused_alike_and_recorded(
    client: TestClient, project: Project, lead: Account
) -> None:
    """`lead` has no password yet. A name that nobody has may be a password in the wrong field."""
    wrong = [("Ann", "x"), (lead.name, PASSWORD), ("hunter2 hunter2", "x"), ("command line", "x")]
    for name, password in wrong:
        answer = client.post("/sign-in", data={"name": name, "password": password}, headers=ORIGIN)
        assert (answer.status_code, "Name or password is wrong." in answer.text) == (403, True)
    with project.database.read() as session:
        query = select(AuditEntry).where(AuditEntry.action == "sign in refused").order_by(AuditEntry.id)
        entries = session.scalars(query).all()
    assert [entry.subject for entry in entries] == ["Ann", lead.name, "unknown name", "command line"]
    assert entries[0].detail == {"client": "testclient"}


def test_a_disabled_person_is_refused_with_the_right_password(
    client: TestClient, project: Project, ann: Account
) -> None:
    members.disable(project, accounts.command_line(project), ann.id)
    assert client.post("/sign-in", data=ANN, headers=ORIGIN).status_code == 403


def test_signing_in_and_out_is_recorded(client: TestClient, project: Project) -> None:
    enter(client)
    client.post("/sign-out", headers=ORIGIN)
    with project.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.action, entry.subject) for entry in entries[-2:]] == [
        ("sign in", "Ann"),
        ("sign out", "Ann"),
    ]


def test_a_link_brings_one_person_in(client: TestClient, project: Project, lead: Account) -> None:
    link = invitations.invite(project, lead, "reviewer")
    address = f"/join/{link.secret}"
    for _ in range(2):
        assert "reviewer" in client.get(address).text  # looking does not use it up
    form = {"name": "Rui", "password": PASSWORD}
    assert client.post(address, data=form, headers=ORIGIN).status_code == 303
    assert is_inside(client)
    client.cookies.clear()
    for answer in (client.get(address), client.post(address, data=form, headers=ORIGIN)):
        assert (answer.status_code, "Ask a lead for a new one" in answer.text) == (404, True)
    enter(client, name="Rui")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "Аnn"}, "That name is taken."),
        ({"name": "命令行"}, "That name is taken."),
        ({"name": "\u200b"}, "Give a name"),
        ({"password": "short"}, "12 to 128 characters"),
        ({"password": "password1234"}, "easily guessed"),
        ({"password": "x" * 129}, "12 to 128 characters"),
    ],
)
def test_a_refused_form_does_not_use_the_link_up(
    client: TestClient, project: Project, lead: Account, fields: dict[str, str], why: str
) -> None:
    link = invitations.invite(project, lead, "annotator")
    form = {"name": "Rui", "password": PASSWORD}
    answer = client.post(f"/join/{link.secret}", data=form | fields, headers=ORIGIN)
    assert (answer.status_code, why in answer.text) == (403, True), answer.text
    assert client.post(f"/join/{link.secret}", data=form, headers=ORIGIN).status_code == 303


def test_a_link_for_a_new_password_names_its_person(
    client: TestClient, project: Project, lead: Account, ann: Account
) -> None:
    link = invitations.password_link(project, lead, ann.id)
    page = client.get(f"/join/{link.secret}").text
    assert "Ann" in page
    assert 'name="name"' not in page
    new = "another four words here"
    assert client.post(f"/join/{link.secret}", data={"password": new}, headers=ORIGIN).status_code == 303
    assert client.post("/sign-in", data=ANN, headers=ORIGIN).status_code == 403
    enter(client, password=new)


def test_what_people_type_comes_back_escaped(client: TestClient) -> None:
    answer = client.post("/sign-in", data={"name": '"><script>x</script>'}, headers=ORIGIN)
    assert answer.status_code == 403
    assert "<script>" not in answer.text


def test_the_form_speaks_the_browsers_language_until_another_is_picked(client: TestClient) -> None:
    chinese = {"accept-language": "zh-CN"}
    assert "登录" in client.get("/sign-in", headers=chinese).text
    client.get("/language/en")
    assert "Sign in" in client.get("/sign-in", headers=chinese).text


def test_switching_the_language_keeps_an_invitation_on_the_screen(
    client: TestClient, project: Project, lead: Account
) -> None:
    address = f"/join/{invitations.invite(project, lead, 'annotator').secret}"
    assert f'href="/language/zh?next={address}"' in client.get(address).text
    assert client.get("/language/zh", params={"next": address}).headers["location"] == address
    for wrong in ("/join//evil.example", f"{address}/..", "/join/"):
        assert client.get("/language/zh", params={"next": wrong}).headers["location"] == "/sign-in"


def test_before_anybody_has_a_password_the_page_says_what_to_do(
    client: TestClient, project: Project, ann: Account
) -> None:
    assert "workbench users add" not in client.get("/sign-in").text
    members.disable(project, accounts.command_line(project), ann.id)
    assert "workbench users add" in client.get("/sign-in").text


@pytest.mark.usefixtures("frozen")
def test_guesses_from_many_addresses_and_for_many_names_are_slowed_down_and_recorded(
    client: TestClient, project: Project
) -> None:
    texts = [
        client.post(
            "/sign-in",
            data={"name": f"n{at}", "password": f"guess {at}"},
            headers=ORIGIN | {"x-forwarded-for": f"10.0.0.{at}", "forwarded": f"for=10.0.0.{at}"},
        ).text
        for at in range(100)
    ]
    assert sum("Name or password is wrong" in text for text in texts) == ALL_TRIES_AT_ONCE
    assert sum("Too many wrong passwords" in text for text in texts) == 100 - ALL_TRIES_AT_ONCE
    with project.database.read() as session:
        slowed = session.scalars(select(AuditEntry).where(AuditEntry.action == "sign in slowed")).all()
    assert [entry.detail["count"] for entry in slowed] == [1], "once a minute"


def test_guessing_one_name_is_slowed_down_and_passes(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(entrance, "throttle", Throttle(lambda: now))

    def guess(word: str) -> str:
        return client.post("/sign-in", data=ANN | {"password": word}, headers=ORIGIN).text

    pages = [guess(f"wrong {number}") for number in range(200)]
    assert sum("Name or password is wrong" in text for text in pages) == TRIES_AT_ONCE
    assert "Too many wrong passwords" in guess(PASSWORD)
    now = 10.0
    enter(client)


@pytest.mark.usefixtures("frozen")
def test_a_guesser_does_not_lock_out_a_browser_that_knows_the_account(client: TestClient) -> None:
    enter(client)
    client.post("/sign-out", headers=ORIGIN)
    known = dict(client.cookies)
    client.cookies.clear()
    for number in range(TRIES_AT_ONCE + 1):
        page = client.post("/sign-in", data=ANN | {"password": f"wrong {number}"}, headers=ORIGIN).text
    assert "Too many wrong passwords" in page
    client.cookies.update(known)
    enter(client)
    # The cookie is for Ann's account alone, and opens nothing by itself.
    client.cookies.clear()
    client.cookies.update(known)
    assert not is_inside(client)
    for number in range(ALL_TRIES_AT_ONCE + 1):
        form = {"name": f"n{number}", "password": "x"}
        page = client.post("/sign-in", data=form, headers=ORIGIN).text
    assert "Too many wrong passwords" in page


@pytest.mark.usefixtures("frozen")
def test_spaces_around_a_name_bring_no_more_tries(
    client: TestClient, project: Project, lead: Account
) -> None:
    """Whoever has an account must not get a browser that knows all others."""
    give_password(project, lead)
    enter(client, name=" " * 40 + "Ann")
    pages = [
        client.post("/sign-in", data={"name": " " * spaces + lead.name, "password": "x"}, headers=ORIGIN).text
        for spaces in range(36, 36 + TRIES_AT_ONCE + 3)
    ]
    assert sum("Name or password is wrong" in text for text in pages) == TRIES_AT_ONCE
    known = [name for name in client.cookies if name.endswith("-known")]
    kept = client.cookies[known[0]]
    enter(client, name="ann")
    assert client.cookies[known[0]] == kept, "another number would have tries of its own"


def test_where_others_could_listen_there_is_no_form(
    client: TestClient, project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, project, allowed_hosts=("box",))
    link = invitations.invite(project, lead, "annotator")
    for address in ("/sign-in", f"/join/{link.secret}"):
        page = client.get(address, headers={"host": "box:8501"}).text
        assert "https alone" in page
        assert "<form" not in page


@pytest.fixture
def demo(project: Project, lead: Account, ann: Account) -> Account:
    project.demo_mark.touch()
    return lead


def choose(client: TestClient, account: Account, **headers: str) -> int:
    form = {"person": str(account.id)}
    return client.post("/sign-in", data=form, headers=ORIGIN | headers).status_code


def test_in_the_demo_people_choose_who_they_are(client: TestClient, demo: Account) -> None:
    assert f'<button class="person" name="person" value="{demo.id}">' in client.get("/sign-in").text
    assert choose(client, demo) == 303
    assert is_inside(client)


def test_elsewhere_they_do_not(
    client: TestClient, project: Project, demo: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.demo_mark.unlink()
    assert choose(client, demo) == 403
    project.demo_mark.touch()
    assert choose(client, accounts.command_line(project)) == 403
    serve_with(monkeypatch, project, public_url="https://label.example.org")
    assert choose(client, demo) == 403
    assert 'name="person"' not in client.get("/sign-in").text
