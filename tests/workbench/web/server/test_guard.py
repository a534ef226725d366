"""Signing in and out, refused requests, and the headers of every answer."""

from collections.abc import Iterator
from dataclasses import replace
from http.cookies import SimpleCookie
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from db.tables import AuditEntry, Person
from tests.workbench.making import ready_queue
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project
from workbench.web import current_project, identity
from workbench.web.pages import HOME, PAGES, PATHS, Page
from workbench.web.server import guard, sign_in, uploads
from workbench.web.server.guard import open_sockets
from workbench.web.server.serve import MIDDLEWARE, ROUTES
from workbench.web.server.throttle import ALL_TRIES_AT_ONCE, Throttle
from workbench.web.server.uploads import UPLOADS

ADDRESS = "http://127.0.0.1:8501"
ORIGIN = {"origin": ADDRESS}
STREAM = "ws://127.0.0.1:8501/_stcore/stream"
PASSPHRASE = "芝麻开门吧芝麻开门吧开门"
ANN = {"name": "Ann", "role": "annotator"}


async def page(request: Request) -> Response:
    return JSONResponse(dict(request.headers))


async def stream(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("welcome")
    async for text in websocket.iter_text():
        await websocket.send_text(text)


@pytest.fixture
def client() -> Iterator[TestClient]:
    behind = [
        *(Route(path, page) for path in (*PATHS, "/media/file", "/_stcore/metrics")),
        Route(UPLOADS + "{session}/{file}", page, methods=["PUT", "DELETE", "OPTIONS"]),
        WebSocketRoute("/_stcore/stream", stream),
    ]
    app = Starlette(routes=[*ROUTES, *behind], middleware=MIDDLEWARE)
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as test_client:
        yield test_client


@pytest.fixture
def guarded(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = project.settings.model_copy(update={"passphrase": SecretStr(PASSPHRASE)})
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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_address_of_a_page_for_leads_leads_an_annotator_to_the_first_page(
    client: TestClient, page: Page
) -> None:
    enter(client)
    answer = client.get(f"/{page.name}")
    is_first = page is HOME or page.right is not None
    assert answer.headers.get("location") == ("/" if is_first else None)
    enter(client, name="Lea", role="lead")
    assert client.get(f"/{page.name}").headers.get("location") == ("/" if page is HOME else None)


def test_a_stranger_gets_no_websocket(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers=ORIGIN):
        pass


def test_signing_in_opens_pages_and_websockets(client: TestClient) -> None:
    enter(client)
    assert client.get("/").status_code == 200
    with client.websocket_connect(STREAM, headers=ORIGIN):
        pass


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: TestClient, project: Project) -> None:
    answer = client.post("/sign-in", data=ANN, headers=ORIGIN)
    cookie = SimpleCookie(answer.headers["set-cookie"])[identity.cookie_name(project)]
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


def test_open_websockets_end_with_the_sign_out_and_those_of_others_stay(client: TestClient) -> None:
    enter(client, name="Ben")
    with client.websocket_connect(STREAM, headers=ORIGIN) as of_ben:
        of_ben.receive_text()
        client.cookies.clear()
        enter(client)
        with (
            client.websocket_connect(STREAM, headers=ORIGIN) as first,
            client.websocket_connect(STREAM, headers=ORIGIN) as second,
        ):
            for websocket in (first, second):
                websocket.receive_text()
            client.post("/sign-out", headers=ORIGIN)
            for websocket in (first, second):
                with pytest.raises(WebSocketDisconnect) as ended:
                    websocket.receive_text()
                assert ended.value.code == 1008
        of_ben.send_text("still here")
        assert of_ben.receive_text() == "still here"
    assert not open_sockets._ends


def test_an_annotator_uploads_nothing_and_reads_no_figures_of_the_server(
    client: TestClient, project: Project
) -> None:
    enter(client)
    with project.database.read() as session:
        before = len(session.scalars(select(AuditEntry.id).where(AuditEntry.action == "refused")).all())
    upload = f"{UPLOADS}session/file"
    assert client.put(upload, headers=ORIGIN, files={"file": b"x" * 1_000}).status_code == 403
    assert client.delete(upload, headers=ORIGIN).status_code == 403
    assert client.get("/_stcore/metrics").status_code == 403
    assert "请找组长" in client.get("/_stcore/metrics", headers={"accept-language": "zh-CN"}).text
    with project.database.read() as session:
        refused = session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "refused")).all()
    assert refused[before:] == ["import", "import", "run rounds", "run rounds"]


def test_a_lead_uploads_until_the_limit_of_the_session(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_SESSION_BYTES", 1_000)
    kept: list[str] = []
    monkeypatch.setattr(guard, "held_by_streamlit", lambda: kept)
    app = Starlette(
        routes=[*ROUTES, Route(UPLOADS + "{session}/{file}", page, methods=["PUT"])], middleware=MIDDLEWARE
    )
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as lead:
        enter(lead, role="lead")
        for file, status in (("a", 200), ("b", 413)):
            upload = f"{UPLOADS}session/{file}"
            assert lead.put(upload, headers=ORIGIN, files={"file": b"x" * 600}).status_code == status
            kept.append(upload)


def test_signing_in_failing_and_coming_for_the_first_time_are_recorded(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(client)
    enter(client)
    with project.database.write() as session:
        session.query(Person).filter_by(name="Ann").one().is_active = False
    assert client.post("/sign-in", data=ANN, headers=ORIGIN).status_code == 403
    with project.database.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    assert [(entry.action, entry.subject) for entry in entries] == [
        ("new person", "Ann"),
        ("sign in", "Ann"),
        ("sign in", "Ann"),
        ("sign in refused", "Ann"),
    ]
    assert entries[-1].detail == {"client": "testclient"}


@pytest.mark.usefixtures("guarded")
def test_wrong_passphrases_are_recorded_and_unknown_names_left_out(
    client: TestClient, project: Project, lead: Account
) -> None:
    for name in ("hunter2 hunter2", lead.name):
        client.post("/sign-in", data=ANN | {"name": name, "passphrase": "x"}, headers=ORIGIN)
    with project.database.read() as session:
        query = select(AuditEntry.subject).where(AuditEntry.action == "sign in refused")
        assert session.scalars(query).all() == ["unknown name", lead.name]


@pytest.mark.usefixtures("guarded")
def test_guesses_from_many_addresses_and_for_many_names_are_slowed_down(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "throttle", Throttle(lambda: 0.0))
    texts = [
        client.post(
            "/sign-in",
            data={"name": f"{at}", "role": "lead", "passphrase": f"guess {at}"},
            headers=ORIGIN | {"x-forwarded-for": f"10.0.0.{at}", "forwarded": f"for=10.0.0.{at}"},
        ).text
        for at in range(100)
    ]
    assert sum("not the passphrase" in text for text in texts) == ALL_TRIES_AT_ONCE
    assert sum("Too many wrong passphrases" in text for text in texts) == 100 - ALL_TRIES_AT_ONCE


def test_two_sessions_of_a_person_end_one_by_one(client: TestClient) -> None:
    enter(client)
    first = dict(client.cookies)
    enter(client)
    client.post("/sign-out", headers=ORIGIN)
    client.cookies.update(first)
    assert client.get("/").status_code == 200


def test_a_forged_cookie_and_a_disabled_person_stay_outside(client: TestClient, project: Project) -> None:
    client.cookies[identity.cookie_name(project)] = "WzEsIngiXQ.aaaa.bbbb"
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
    enter(client, passphrase=PASSPHRASE)


@pytest.mark.usefixtures("guarded")
def test_guessing_is_slowed_down_and_passes(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(sign_in, "throttle", Throttle(lambda: now))

    def guess(word: str) -> str:
        return client.post("/sign-in", data=ANN | {"passphrase": word}, headers=ORIGIN).text

    pages = [guess(f"wrong {number}") for number in range(1_000)]
    assert sum("not the passphrase" in text for text in pages) == 5
    assert "Too many wrong passphrases" in guess(PASSPHRASE)
    now = 10.0
    enter(client, passphrase=PASSPHRASE)


def test_without_a_passphrase_none_is_asked(client: TestClient) -> None:
    assert 'autocomplete="current-password" hidden disabled>' in client.get("/sign-in").text
