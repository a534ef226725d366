"""Signing in and out, refused requests, and the headers of every answer."""

import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import quote

import pytest
import streamlit
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from db.tables import Person
from tests.workbench.making import ready_queue
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project
from workbench.web import current_project, identity
from workbench.web.pages import HOME, PATHS
from workbench.web.server.guard import HEADERS
from workbench.web.server.serve import MIDDLEWARE, ROUTES

ORIGIN = {"origin": "http://testserver"}
ANN = {"name": "Ann", "role": "annotator"}


async def page(request: Request) -> Response:
    return JSONResponse(dict(request.headers))


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


@pytest.fixture
def client() -> Iterator[TestClient]:
    behind = [Route("/", page), Route("/media/file", page), WebSocketRoute("/_stcore/stream", stream)]
    with TestClient(
        Starlette(routes=[*ROUTES, *behind], middleware=MIDDLEWARE), follow_redirects=False
    ) as test_client:
        yield test_client


@pytest.fixture
def guarded(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = project.settings.model_copy(update={"passphrase": SecretStr("开门")})
    monkeypatch.setattr(current_project, "open_project", lambda _home: replace(project, settings=settings))
    current_project.project.cache_clear()


def enter(client: TestClient, **fields: str) -> None:
    answer = client.post("/sign-in", data=ANN | fields, headers=ORIGIN)
    assert answer.status_code == 303, answer.text


def test_a_page_leads_a_stranger_to_the_form_and_back(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/")
    assert client.get("/media/file").status_code == 401


@pytest.mark.parametrize("path", sorted(PATHS))
def test_every_page_is_returned_to_after_signing_in_and_after_switching_the_language(
    client: TestClient, path: str
) -> None:
    assert client.get(path).headers["location"] == f"/sign-in?next={quote(path)}"
    assert client.get("/language/zh", params={"next": path}).headers["location"] == path
    signed_in = client.post("/sign-in", data=ANN | {"next": path}, headers=ORIGIN)
    assert signed_in.headers["location"] == path


def test_the_name_of_the_first_page_leads_to_its_address(client: TestClient) -> None:
    enter(client)
    answer = client.get(f"/{HOME.name}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_the_page_of_streamlit_runs_no_script_that_its_headers_refuse() -> None:
    page_file = Path(streamlit.__file__).parent / "static" / "index.html"
    scripts = re.findall(r"<script>(.*?)</script>", page_file.read_text(encoding="utf-8"), re.DOTALL)
    assert scripts
    for script in scripts:
        digest = b64encode(sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in HEADERS["Content-Security-Policy"]


def test_a_stranger_gets_no_websocket(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/_stcore/stream"):
        pass


def test_signing_in_opens_pages_and_websockets(client: TestClient) -> None:
    enter(client)
    assert client.get("/").status_code == 200
    with client.websocket_connect("/_stcore/stream"):
        pass


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: TestClient) -> None:
    answer = client.post("/sign-in", data=ANN, headers=ORIGIN)
    cookie = SimpleCookie(answer.headers["set-cookie"])[identity.COOKIE]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "lax")


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "/nowhere"])
def test_nobody_is_sent_to_another_site(client: TestClient, wanted: str) -> None:
    answer = client.post("/sign-in", data=ANN | {"next": wanted}, headers=ORIGIN)
    assert answer.headers["location"] == "/"
    assert client.get("/language/zh", params={"next": wanted}).headers["location"] == "/sign-in"


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}, {"origin": "null"}])
def test_a_form_of_another_site_changes_nothing(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/sign-in", data=ANN, headers=headers).status_code == 403
    enter(client)
    assert client.post("/sign-out", headers=headers).status_code == 403
    assert client.get("/").status_code == 200


def test_signing_out_kills_the_cookie_and_gives_the_posts_back(
    client: TestClient, project: Project, lead: Account, ben: Account
) -> None:
    ready_queue(project, lead, 1)
    enter(client)
    signed = identity.signed_in(project, dict(client.cookies))
    assert signed is not None
    held = answers.hold_posts(project, signed.account)
    stolen = dict(client.cookies)
    assert client.post("/sign-out", headers=ORIGIN).headers["location"] == "/sign-in"
    assert client.get("/").status_code == 303
    client.cookies.update(stolen)
    assert client.get("/").status_code == 303
    assert [card.post_id for card in answers.hold_posts(project, ben)] == [card.post_id for card in held]


def test_two_sessions_of_a_person_end_one_by_one(client: TestClient) -> None:
    enter(client)
    first = dict(client.cookies)
    enter(client)
    client.post("/sign-out", headers=ORIGIN)
    client.cookies.update(first)
    assert client.get("/").status_code == 200


def test_a_forged_cookie_and_a_disabled_person_stay_outside(client: TestClient, project: Project) -> None:
    client.cookies[identity.COOKIE] = "WzEsIngiXQ.aaaa.bbbb"
    assert client.get("/").status_code == 303
    client.cookies.clear()
    enter(client)
    with project.database.write() as session:
        session.query(Person).filter_by(name="Ann").one().is_active = False
    assert client.get("/").status_code == 303


def test_a_header_that_claims_to_be_somebody_is_dropped(client: TestClient) -> None:
    assert client.get("/", headers={"X-Forwarded-User": "lead"}).status_code == 303
    enter(client)
    assert "x-forwarded-user" not in client.get("/", headers={"X-Forwarded-User": "lead"}).json()


@pytest.mark.parametrize("path", ["/", "/sign-in", "/media/file", "/nowhere"])
def test_every_answer_carries_its_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_what_people_type_comes_back_escaped(client: TestClient) -> None:
    answer = client.post("/sign-in", data={"name": '"><script>x</script>', "role": "boss"}, headers=ORIGIN)
    assert answer.status_code == 403
    assert "<script>" not in answer.text


def test_the_form_speaks_the_browsers_language_until_another_is_picked(client: TestClient) -> None:
    chinese = {"accept-language": "zh-CN"}
    assert "登录" in client.get("/sign-in", headers=chinese).text
    client.get("/language/en")
    assert "Sign in" in client.get("/sign-in", headers=chinese).text


@pytest.mark.usefixtures("guarded")
def test_the_passphrase_is_asked_for_and_checked(client: TestClient) -> None:
    assert 'name="passphrase" autocomplete="current-password" >' in client.get("/sign-in").text
    assert client.post("/sign-in", data=ANN | {"passphrase": "sesame"}, headers=ORIGIN).status_code == 403
    enter(client, passphrase="开门")


@pytest.mark.usefixtures("guarded")
def test_guessing_is_slowed_down_and_passes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("workbench.web.server.sign_in.throttle._clock", lambda: now)

    def guess(word: str) -> str:
        return client.post("/sign-in", data=ANN | {"passphrase": word}, headers=ORIGIN).text

    pages = [guess(f"wrong {number}") for number in range(1_000)]
    assert sum("not the passphrase" in text for text in pages) == 5
    assert "Too many wrong passphrases" in guess("开门")
    now = 10.0
    enter(client, passphrase="开门")


def test_without_a_passphrase_none_is_asked(client: TestClient) -> None:
    assert 'autocomplete="current-password" hidden disabled>' in client.get("/sign-in").text
