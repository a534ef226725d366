"""Coming in by a header of the proxy, which counts from the proxy's own address alone."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from db.tables import AuditEntry, Person, WebSession
from tests.workbench.team import cookies_of, member
from tests.workbench.working import wait_until
from workbench import accounts
from workbench.accounts import Account
from workbench.errors import NotAllowedError
from workbench.people import identities, members
from workbench.people.identities import PROXY
from workbench.project import Project
from workbench.services import web_command
from workbench.settings import FILE_NAME, Settings
from workbench.web import current_project
from workbench.web.pages import PATHS
from workbench.web.server.organisations.peer import PEER, Peer
from workbench.web.server.organisations.trusted_header import take_statement
from workbench.web.server.serve import MIDDLEWARE, ROUTES

ROOT = Path(__file__).parents[5]
ADDRESS, STREAM = "http://127.0.0.1:8501", "ws://127.0.0.1:8501/_stcore/stream"
ORIGIN = {"origin": ADDRESS}
PROXY_ADDRESS = "10.1.2.3"
WEI = {"X-Forwarded-User": "Wei"}
GROUPS = {"proxy_groups_header": "X-Forwarded-Groups", "group_roles": {"mods": "reviewer", "chiefs": "lead"}}


@pytest.fixture(autouse=True)
def served(project: Project, monkeypatch: pytest.MonkeyPatch, served_project: None) -> None:
    serve_with(monkeypatch, project)


def serve_with(monkeypatch: pytest.MonkeyPatch, project: Project, **settings: object) -> None:
    mode = {"proxy_user_header": "X-Forwarded-User", "proxy_user_from": ("10.1.0.0/16",)}
    changed = Settings.model_validate(project.settings.model_dump() | mode | settings)
    monkeypatch.setattr(current_project, "open_project", lambda _home: replace(project, settings=changed))
    current_project.opened.cache_clear()
    current_project.project.cache_clear()


@contextmanager
def browser(peer: str = PROXY_ADDRESS, proxies: tuple[str, ...] = ()) -> Iterator[TestClient]:
    """Whose requests arrive from this address."""

    async def page(request: Request) -> Response:
        return JSONResponse(
            {"headers": sorted(request.headers), "client": request.client and request.client.host}
        )

    async def stream(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("welcome")
        await websocket.close()

    behind = [
        *(Route(path, page) for path in (*PATHS, "/media/file")),
        WebSocketRoute("/_stcore/stream", stream),
    ]
    middleware = [Middleware(Peer, proxies), *MIDDLEWARE]
    app = Starlette(routes=[*ROUTES, *behind], middleware=middleware)
    with TestClient(app, base_url=ADDRESS, follow_redirects=False, client=(peer, 50_000)) as client:
        yield client


@pytest.fixture
def client() -> Iterator[TestClient]:
    with browser() as test_client:
        yield test_client


def name_of_session(project: Project) -> str | None:
    """The person of the newest session."""
    with project.database.read() as session:
        query = select(Person.name).join(WebSession, WebSession.person_id == Person.id)
        return session.scalar(query.order_by(WebSession.id.desc()))


def count_sessions(project: Project) -> int:
    with project.database.read() as session:
        return session.scalar(select(func.count(WebSession.id))) or 0


def refusals(project: Project) -> list[str]:
    with project.database.read() as session:
        query = select(AuditEntry).where(AuditEntry.action == "sign in refused").order_by(AuditEntry.id)
        return [entry.detail["why"] for entry in session.scalars(query)]


def streams(client: TestClient, headers: dict[str, str]) -> bool:
    try:
        with client.websocket_connect(STREAM, headers=ORIGIN | headers) as websocket:
            return websocket.receive_text() == "welcome"
    except WebSocketDisconnect:
        return False


def test_the_first_page_begins_a_session_and_the_others_go_on_in_it(
    client: TestClient, project: Project
) -> None:
    answer = client.get("/", headers=WEI)
    assert answer.status_code == 200
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    assert answer.json()["headers"] == ["accept", "accept-encoding", "connection", "host", "user-agent"]
    for path in ("/posts", "/media/file"):
        later = client.get(path, headers=WEI)
        assert (later.status_code, "set-cookie" in later.headers) == (200, False)
    assert streams(client, WEI)
    assert (name_of_session(project), count_sessions(project)) == ("Wei", 1)
    with project.database.read() as session:
        assert session.scalar(select(Person.role).where(Person.name == "Wei")) == "annotator"
        assert session.scalar(select(WebSession.means)) == PROXY


@pytest.mark.parametrize("path", ["/media/file", "/_stcore/metrics", "/start.js"])
def test_only_pages_begin_a_session(client: TestClient, project: Project, path: str) -> None:
    assert client.get(path, headers=WEI).status_code == 401
    assert not streams(client, WEI)
    assert count_sessions(project) == 0


@pytest.mark.parametrize("peer", ["10.2.0.1", "127.0.0.1", "::1", "testclient", "10.1.2.3.evil.example", ""])
def test_the_header_of_anybody_else_is_dropped(project: Project, peer: str) -> None:
    with browser(peer) as client:
        assert client.get("/", headers=WEI).headers["location"] == "/sign-in?next=/"
        assert count_sessions(project) == 0
        client.cookies.update(cookies_of(project, member(project, "Ann", "annotator")))
        assert "x-forwarded-user" not in client.get("/", headers=WEI).json()["headers"]
        assert name_of_session(project) == "Ann"


def test_an_address_of_version_4_in_the_form_of_version_6_is_the_same(project: Project) -> None:
    with browser(f"::ffff:{PROXY_ADDRESS}") as client:
        assert client.get("/", headers=WEI).status_code == 200


def test_who_claims_to_be_forwarded_by_the_proxy_is_not_believed(project: Project) -> None:
    """The proxy of X-Forwarded-For is trusted for that header alone."""
    with browser("192.0.2.1", proxies=("192.0.2.1",)) as client:
        answer = client.get("/", headers=WEI | {"X-Forwarded-For": PROXY_ADDRESS})
        assert answer.headers["location"] == "/sign-in?next=/"


def test_behind_a_proxy_of_both_kinds_the_client_is_the_person(project: Project) -> None:
    with browser(PROXY_ADDRESS, proxies=(PROXY_ADDRESS,)) as client:
        answer = client.get("/", headers=WEI | {"X-Forwarded-For": "203.0.113.9"})
        assert answer.json()["client"] == "203.0.113.9"
    with project.database.read() as session:
        assert session.scalar(select(WebSession.client)) == "203.0.113.9"


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-User", "Wei"), ("X-Forwarded-User", "Root")],
        [("X-Forwarded-User", "Wei"), ("x-forwarded-user", "Wei")],
        [("X-Forwarded-User", "a\u202eb".encode())],
    ],
)
def test_an_unclear_header_is_refused(
    client: TestClient, project: Project, headers: list[tuple[str, str | bytes]]
) -> None:
    answer = client.get("/", headers=headers)
    assert (answer.status_code, "Ask its operator" in answer.text) == (403, True)
    assert count_sessions(project) == 0


def test_bytes_that_are_no_text_are_refused() -> None:
    settings = Settings(proxy_user_header="X-Forwarded-User", proxy_user_from=("10.1.2.3",))
    scope = {"headers": [(b"x-forwarded-user", b"\xff\xfe")], PEER: PROXY_ADDRESS}
    with pytest.raises(NotAllowedError, match="not as text"):
        take_statement(scope, settings)


def test_a_name_may_be_chinese_and_spaces_around_it_do_not_count(
    client: TestClient, project: Project
) -> None:
    client.get("/", headers={"X-Forwarded-User": " 林静怡 ".encode()})
    assert name_of_session(project) == "林静怡"


def test_another_user_in_the_same_browser_gets_a_session_of_their_own(
    client: TestClient, project: Project
) -> None:
    client.get("/", headers=WEI)
    other = {"X-Forwarded-User": "Rui"}
    assert client.get("/media/file", headers=other).status_code == 401
    assert not streams(client, other)
    assert client.get("/", headers=other).status_code == 200
    assert (name_of_session(project), count_sessions(project)) == ("Rui", 2)


def test_a_session_of_the_proxy_is_worth_nothing_without_its_header(project: Project) -> None:
    with browser() as client:
        client.get("/", headers=WEI)
        assert client.get("/").headers["location"] == "/sign-in?next=/"
        stolen = dict(client.cookies)
    with browser("127.0.0.1") as thief:
        thief.cookies.update(stolen)
        assert thief.get("/", headers=WEI).headers["location"] == "/sign-in?next=/"
        assert not streams(thief, WEI)


def test_a_password_still_opens_a_session_beside_the_proxy(
    client: TestClient, project: Project, ann: Account
) -> None:
    client.cookies.update(cookies_of(project, ann))
    assert client.get("/").status_code == 200
    # Where the proxy states somebody else, that one it is.
    assert client.get("/", headers=WEI).status_code == 200
    assert name_of_session(project) == "Wei"


def test_a_name_of_somebody_here_is_linked_by_a_lead_first(
    client: TestClient, project: Project, lead: Account, ann: Account
) -> None:
    stated = {"X-Forwarded-User": "ANN"}
    answer = client.get("/", headers=stated)
    assert (answer.status_code, "link-identity NAME ANN" in answer.text) == (403, True)
    assert refusals(project) == ["no name"]
    identities.link(project, lead, ann.id, PROXY, "ANN")
    assert client.get("/", headers=stated).status_code == 200
    assert name_of_session(project) == "Ann"


def test_a_disabled_person_stays_outside(client: TestClient, project: Project) -> None:
    client.get("/", headers=WEI)
    command_line = accounts.command_line(project)
    members.disable(project, command_line, members.find_member(project, command_line, "Wei").id)
    assert client.get("/media/file", headers=WEI).status_code == 401
    assert client.get("/", headers=WEI).status_code == 403
    assert refusals(project) == ["disabled"]


def test_the_role_follows_the_groups_at_once(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, project, **GROUPS)

    def with_groups(groups: str) -> dict[str, str]:
        return WEI | {"X-Forwarded-Groups": groups}

    assert client.get("/", headers=WEI).status_code == 403
    assert client.get("/review", headers=with_groups("x, chiefs,mods")).status_code == 200
    assert client.get("/media/file", headers=with_groups("mods")).status_code == 401
    assert client.get("/review", headers=with_groups("mods")).status_code == 200
    with project.database.read() as session:
        assert session.scalar(select(Person.role).where(Person.name == "Wei")) == "reviewer"
    assert client.get("/", headers=with_groups("")).status_code == 403
    assert refusals(project) == ["no group", "no group"]


def test_signing_out_says_that_the_proxy_signs_in(client: TestClient, project: Project) -> None:
    client.get("/", headers=WEI)
    kept = dict(client.cookies)
    answer = client.post("/sign-out", headers=WEI | ORIGIN)
    assert (answer.status_code, "sign out there too" in answer.text) == (200, True)
    client.cookies.update(kept)
    assert client.get("/media/file", headers=WEI).status_code == 401


def test_the_sign_in_page_leads_on_or_says_where_people_come_in(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/sign-in?next=/posts", headers=WEI).headers["location"] == "/posts"
    serve_with(monkeypatch, project, password_sign_in=False)
    page = client.get("/sign-in").text
    assert "through their organisation" in page
    assert "<form" not in page


def test_no_session_is_begun_on_an_open_line(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, project, allowed_hosts=("box",))
    answer = client.get("/", headers=WEI | {"host": "box:8501"})
    assert (answer.status_code, "https alone" in answer.text) == (403, True)


def test_a_header_of_another_name_is_dropped_as_well(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, project, proxy_user_header="X-Login")
    assert client.get("/", headers=WEI).status_code == 303
    assert "x-login" not in client.get("/", headers={"X-Login": "Wei"}).json()["headers"]


@contextmanager
def running(project: Project, *settings: str) -> Iterator[httpx.Client]:
    (project.home / FILE_NAME).write_text("\n".join(['proxy_user_header = "X-Forwarded-User"', *settings]))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {"PYTHONPATH": str(ROOT), "WORKBENCH_HOME": str(project.home), "WORKBENCH_PORT": str(port)}
    environment = os.environ | variables | {"FORWARDED_ALLOW_IPS": "*"}
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False)
    with client, subprocess.Popen(web_command(), cwd=project.home, env=environment) as app:
        try:
            wait_until(lambda: _is_served(client), "the server")
            yield client
        finally:
            app.terminate()


def _is_served(client: httpx.Client) -> bool:
    try:
        return client.get("/_stcore/health").status_code == 200
    except httpx.TransportError:
        return False


def test_a_running_server_believes_the_peer_of_its_socket(project: Project) -> None:
    """Whatever address a trusted X-Forwarded-For puts in its place."""
    trusted = 'forwarded_allow_ips = ["127.0.0.1"]'
    with running(project, trusted, 'proxy_user_from = ["127.0.0.1"]') as client:
        assert client.get("/", headers=WEI | {"X-Forwarded-For": "203.0.113.9"}).status_code == 200
    with project.database.read() as session:
        assert session.scalar(select(WebSession.client)) == "203.0.113.9"


def test_and_not_an_address_that_is_only_forwarded(project: Project) -> None:
    with running(
        project, 'forwarded_allow_ips = ["127.0.0.1"]', f'proxy_user_from = ["{PROXY_ADDRESS}"]'
    ) as client:
        answer = client.get("/", headers=WEI | {"X-Forwarded-For": PROXY_ADDRESS})
        assert answer.headers["location"] == "/sign-in?next=/"


def test_a_server_does_not_start_before_the_proxy_is_named(project: Project) -> None:
    (project.home / FILE_NAME).write_text('proxy_user_header = "X-Forwarded-User"')
    environment = os.environ | {"PYTHONPATH": str(ROOT), "WORKBENCH_HOME": str(project.home)}
    result = subprocess.run(
        web_command(), cwd=project.home, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "proxy_user_header needs proxy_user_from" in result.stderr
    assert result.stderr.count("\n") == 1
