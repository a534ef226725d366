"""Signing in and out, refused requests, and the headers of every answer."""

import asyncio
from collections.abc import Collection, Iterator

import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from db.tables import AuditEntry, Person
from tests.workbench.making import ready_queue
from tests.workbench.team import cookies_of, member
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project
from workbench.web import identity
from workbench.web.pages import HOME, PAGES, PATHS, Page
from workbench.web.server import guard, uploads
from workbench.web.server.guard import open_sockets
from workbench.web.server.serve import MIDDLEWARE, ROUTES
from workbench.web.server.sockets import OpenSockets
from workbench.web.server.uploads import UPLOADS

ADDRESS = "http://127.0.0.1:8501"
ORIGIN = {"origin": ADDRESS}
STREAM = "ws://127.0.0.1:8501/_stcore/stream"


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


def enter(client: TestClient, project: Project, name: str = "Ann", role: str = "annotator") -> None:
    client.cookies.update(cookies_of(project, member(project, name, role)))


def test_a_page_leads_a_stranger_to_the_form_and_back(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/")
    assert client.get("/media/file").status_code == 401


def test_the_name_of_the_first_page_leads_to_its_address(client: TestClient, project: Project) -> None:
    enter(client, project)
    answer = client.get(f"/{HOME.name}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_address_of_a_page_for_others_leads_an_annotator_to_the_first_page(
    client: TestClient, project: Project, page: Page
) -> None:
    enter(client, project)
    answer = client.get(f"/{page.name}")
    is_first = page is HOME or not page.is_open_to(Account(0, "Ann", "annotator"))
    assert answer.headers.get("location") == ("/" if is_first else None)
    enter(client, project, "Root", "admin")
    assert client.get(f"/{page.name}").headers.get("location") == ("/" if page is HOME else None)


def test_a_stranger_gets_no_websocket(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers=ORIGIN):
        pass


def test_signing_in_opens_pages_and_websockets(client: TestClient, project: Project) -> None:
    enter(client, project)
    assert client.get("/").status_code == 200
    with client.websocket_connect(STREAM, headers=ORIGIN):
        pass


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}, {"origin": "null"}])
def test_a_form_of_another_site_changes_nothing(
    client: TestClient, project: Project, headers: dict[str, str]
) -> None:
    assert client.post("/sign-in", data={"name": "Ann"}, headers=headers).status_code == 403
    enter(client, project)
    assert client.post("/sign-out", headers=headers).status_code == 403
    assert client.get("/").status_code == 200


def test_signing_out_kills_the_cookie_and_gives_the_posts_back(
    client: TestClient, project: Project, lead: Account, ben: Account
) -> None:
    ready_queue(project, lead, 1)
    enter(client, project)
    held = answers.hold_posts(project, member(project, "Ann", "annotator"))
    stolen = dict(client.cookies)
    assert client.post("/sign-out", headers=ORIGIN).headers["location"] == "/sign-in"
    assert client.get("/").status_code == 303
    client.cookies.update(stolen)
    assert client.get("/").status_code == 303
    assert [card.post_id for card in answers.hold_posts(project, ben)] == [card.post_id for card in held]


def test_open_websockets_end_with_the_sign_out_and_those_of_others_stay(
    client: TestClient, project: Project
) -> None:
    enter(client, project, "Ben")
    with client.websocket_connect(STREAM, headers=ORIGIN) as of_ben:
        of_ben.receive_text()
        client.cookies.clear()
        enter(client, project)
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


def test_ended_sessions_are_looked_for_again_after_a_failure() -> None:
    answers_of_database = iter([OSError("busy"), {7}])

    def ended(_ids: Collection[int]) -> set[int]:
        answer = next(answers_of_database)
        if isinstance(answer, OSError):
            raise answer
        return answer

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        assert (await receive())["type"] == "websocket.disconnect"

    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def keep(message: Message) -> None:
        sent.append(message)

    sent: list[Message] = []
    asyncio.run(OpenSockets(ended, seconds=0.0).run(app, 7, {}, never, keep))
    assert [message["code"] for message in sent] == [1008]


def test_an_annotator_uploads_nothing_and_reads_no_figures_of_the_server(
    client: TestClient, project: Project
) -> None:
    enter(client, project)
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
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "MOST_SESSION_BYTES", 1_000)
    kept: list[str] = []
    monkeypatch.setattr(guard, "held_by_streamlit", lambda: kept)
    app = Starlette(
        routes=[*ROUTES, Route(UPLOADS + "{session}/{file}", page, methods=["PUT"])], middleware=MIDDLEWARE
    )
    with TestClient(app, base_url=ADDRESS, follow_redirects=False) as lead:
        enter(lead, project, "Lea", "lead")
        for file, status in (("a", 200), ("b", 413)):
            upload = f"{UPLOADS}session/{file}"
            assert lead.put(upload, headers=ORIGIN, files={"file": b"x" * 600}).status_code == status
            kept.append(upload)


def test_two_sessions_of_a_person_end_one_by_one(client: TestClient, project: Project) -> None:
    enter(client, project)
    first = dict(client.cookies)
    enter(client, project)
    client.post("/sign-out", headers=ORIGIN)
    client.cookies.update(first)
    assert client.get("/").status_code == 200


def test_a_forged_cookie_and_a_disabled_person_stay_outside(client: TestClient, project: Project) -> None:
    client.cookies[identity.cookie_name(project, is_https=False)] = "WzEsIngiXQ.aaaa.bbbb"
    assert client.get("/").status_code == 303
    client.cookies.clear()
    enter(client, project)
    with project.database.write() as session:
        session.query(Person).filter_by(name="Ann").one().is_active = False
    assert client.get("/").status_code == 303


def test_a_header_that_claims_to_be_somebody_is_dropped(client: TestClient, project: Project) -> None:
    assert client.get("/", headers={"X-Forwarded-User": "lead"}).status_code == 303
    enter(client, project)
    assert "x-forwarded-user" not in client.get("/", headers={"X-Forwarded-User": "lead"}).json()


@pytest.mark.parametrize("path", ["/", "/sign-in", "/media/file", "/nowhere"])
def test_every_answer_carries_its_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_an_address_that_is_no_page_says_so_in_the_readers_language(
    client: TestClient, project: Project
) -> None:
    enter(client, project)
    answer = client.get("/nosuch", headers=BROWSER | {"accept-language": "zh-CN"})
    assert answer.status_code == 404
    assert "没有这个页面。" in answer.text
    assert '<a class="button" href="/">返回首页</a>' in answer.text
    assert '<html lang="zh-CN"' in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/posts", "/_stcore/health", "/media/file", "/download/x.csv", "/start.js"]
)
def test_what_a_browser_opens_besides_pages_is_let_through(
    client: TestClient, project: Project, path: str
) -> None:
    enter(client, project)
    assert "There is no such page." not in client.get(path, headers=BROWSER).text


def test_a_refusal_is_a_page_for_a_browser_and_a_sentence_for_others(client: TestClient) -> None:
    page = client.get("/media/file", headers=BROWSER)
    assert page.status_code == 401
    assert "--accent:" in page.text
    assert ">Sign in first.</p>" in page.text
    assert client.get("/media/file").text == "Sign in first."


def test_a_plain_page_is_drawn_in_the_chosen_theme(client: TestClient) -> None:
    client.cookies["theme"] = "dark"
    assert 'data-theme="dark"' in client.get("/sign-in").text
    client.cookies["theme"] = "<script>"
    assert 'data-theme="system"' in client.get("/sign-in").text
