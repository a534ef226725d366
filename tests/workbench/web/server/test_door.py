"""Attacks on the door: foreign hosts, origins and ports, bodies of any size, and what every answer carries."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect
from streamlit import net_util
from streamlit.web.server.starlette.starlette_websocket import _is_origin_allowed

from tests.workbench.team import PASSWORD, cookies_of, give_password, member
from workbench.accounts import Account
from workbench.origin import Origin, parse_origin
from workbench.project import Project
from workbench.settings import Settings
from workbench.web import current_project
from workbench.web.server.door import MOST_FORM_BYTES
from workbench.web.server.origins import Addresses
from workbench.web.server.serve import MIDDLEWARE, ROUTES
from workbench.web.server.uploads import MOST_UPLOAD_BYTES, UPLOADS

ADDRESS = "http://127.0.0.1:8501"
STREAM = "ws://127.0.0.1:8501/_stcore/stream"
ANN = {"name": "Ann", "password": PASSWORD}
FORM = {"content-type": "application/x-www-form-urlencoded"}


async def page(request: Request) -> Response:
    await request.body()
    return JSONResponse({"scheme": request.url.scheme, "client": request.client and request.client.host})


async def stream(websocket: WebSocket) -> None:
    assert _is_origin_allowed(websocket.headers["origin"], websocket.headers["host"])
    await websocket.accept()
    await websocket.close()


APP = Starlette(
    routes=[
        *ROUTES,
        Route("/", page),
        Route("/label", page, methods=["POST", "GET"]),
        Route(UPLOADS + "{session}/{file}", page, methods=["PUT", "DELETE"]),
        WebSocketRoute("/_stcore/stream", stream),
    ],
    middleware=MIDDLEWARE,
)


@pytest.fixture
def client(project: Project, lead: Account) -> Iterator[TestClient]:
    """Signed in as a lead: the victim's browser."""
    with TestClient(APP, base_url=ADDRESS, follow_redirects=False) as victim:
        for is_https in (True, False):
            victim.cookies.update(cookies_of(project, lead, is_https=is_https))
        yield victim


def serve_with(monkeypatch: pytest.MonkeyPatch, project: Project, **settings: Any) -> None:
    changed = Settings.model_validate(project.settings.model_dump() | settings)
    monkeypatch.setattr(current_project, "open_project", lambda _home: replace(project, settings=changed))
    current_project.opened.cache_clear()
    current_project.project.cache_clear()


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8501",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "10.0.0.9",
        "",
        "a b",
        "[::1]evil.example",
        "evil.example#127.0.0.1",
        "127.0.0.1#evil.example",
        "lo\tcalhost",
        "127.0.0.1\\evil.example",
        "127.0.0.1:99999",
    ],
)
def test_a_name_that_was_rebound_to_this_machine_is_refused(client: TestClient, host: str) -> None:
    for path in ("/", "/sign-in", "/download/timesheet.csv", "/_stcore/health"):
        assert client.get(path, headers={"host": host}).status_code == 400
    own = {"host": host, "origin": f"http://{host}"}
    assert client.post("/sign-in", data=ANN, headers=own).status_code == 400
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers=own):
        pass


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "LOCALHOST", "[::1]:8501"])
def test_this_machine_is_reached_by_its_loopback_names(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "http://127.0.0.1:9999",
        "http://127.0.0.1",
        "https://127.0.0.1:8501",
        "http://localhost:8501",
        "http://evil.example",
        "http://127.0.0.1:8501@evil.example",
        "http://127.0.0.1:8501.evil.example",
        "http://127.0.0.1:port",
        "http://127.0.0.1:8501\\@evil.example",
        "http://127.0.0.1:8501#evil.example",
        "http://127.0.0.1:8501, http://evil.example",
        "ws://127.0.0.1:8501",
    ],
)
def test_another_origin_writes_nothing_and_gets_no_websocket(client: TestClient, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    for method in ("POST", "PUT", "DELETE", "PATCH", "ODD"):
        assert client.request(method, "/label", headers=headers).status_code == 403
    assert client.post("/sign-out", headers=headers).status_code == 403
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(STREAM, headers=headers):
        pass
    assert client.get("/").status_code == 200


def test_two_origins_are_none(client: TestClient) -> None:
    twice = [("origin", ADDRESS), ("origin", "http://evil.example")]
    assert client.post("/sign-out", headers=twice).status_code == 403


def test_the_apps_own_pages_write_and_get_a_websocket(client: TestClient) -> None:
    assert client.post("/label", headers={"origin": ADDRESS}, data={"a": "1"}).status_code == 200
    with client.websocket_connect(STREAM, headers={"origin": ADDRESS}):
        pass


def test_150_megabytes_are_refused_before_a_byte_is_read() -> None:
    """Without signing in, and with each way to state the length."""
    heads = [
        ({"origin": ADDRESS, "content-type": "multipart/form-data; boundary=x"}, 413),
        ({"origin": ADDRESS, **FORM}, 413),
        ({"origin": "http://evil.example", **FORM}, 403),
        ({"origin": ADDRESS, **FORM, "content-length": "1" + "0" * 5_000}, 400),
        ({"origin": ADDRESS, **FORM, "content-length": "-1"}, 400),
        ({"origin": ADDRESS, "content-type": "multipart/form-data", "content-length": "9"}, 415),
        ({"origin": ADDRESS, "transfer-encoding": "chunked", "content-length": ""}, 415),
    ]
    for path in ("/sign-in", "/sign-out", "/label", "/nowhere"):
        for headers, status in heads:
            assert (
                _status_without_reading("POST", path, {"content-length": str(150 * 2**20), **headers})
                == status
            )


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("head", [{"content-length": "9"}, {"transfer-encoding": "chunked"}])
def test_a_request_that_reads_has_no_body(method: str, head: dict[str, str]) -> None:
    """A stream under way would break off at the limit of the body."""
    for path in ("/download/timesheet.csv", "/sign-in", f"{UPLOADS}session/file"):
        assert _status_without_reading(method, path, {**FORM, **head}) == 415


def test_only_the_upload_itself_may_be_large() -> None:
    head = {"origin": ADDRESS, "content-length": str(150 * 2**20)}
    for method in ("POST", "DELETE"):
        assert _status_without_reading(method, f"{UPLOADS}session/file", head) == 413


def test_a_body_without_a_stated_length_is_cut_at_the_limit(client: TestClient) -> None:
    pieces = (b"a=1&" * 1_000 for _ in range(MOST_FORM_BYTES // 4_000 + 1))
    answer = client.post("/label", headers={"origin": ADDRESS, **FORM}, content=pieces)
    assert answer.status_code == 413


def test_an_upload_states_its_length_and_keeps_to_the_limit() -> None:
    head = {"origin": ADDRESS, "content-type": "multipart/form-data; boundary=x"}
    path = f"{UPLOADS}session/file"
    assert _status_without_reading("PUT", path, head) == 411
    assert _status_without_reading("PUT", path, {**head, "content-length": str(MOST_UPLOAD_BYTES + 1)}) == 413
    both = {"content-length": "1", "transfer-encoding": "chunked"}
    assert _status_without_reading("PUT", path, {**head, **both}) == 411


def test_a_form_that_breaks_off_is_no_error() -> None:
    head = {"origin": ADDRESS, **FORM, "content-length": "900"}
    answers = iter(
        [{"type": "http.request", "body": b"name=", "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> Any:
        return next(answers)

    async def send(_message: Any) -> None:
        pytest.fail("there is no one to answer")

    asyncio.run(APP(_scope("POST", "/sign-in", head), receive, send))


def _status_without_reading(method: str, path: str, headers: dict[str, str]) -> int:
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        pytest.fail("the body was read")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(APP(_scope(method, path, headers), receive, send))
    return statuses[0]


def _scope(method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    raw = [
        (name.encode(), value.encode())
        for name, value in {"host": "127.0.0.1:8501", **headers}.items()
        if value
    ]
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": raw,
        "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 8501),
        "http_version": "1.1",
    }


def test_behind_a_proxy_the_public_address_is_the_own_one(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, project, public_url="https://label.example.org/")
    give_password(project, member(project, "Ann", "annotator"))
    name = {"host": "label.example.org"}
    assert client.get("/", headers=name).json()["scheme"] == "https"
    assert client.get("/sign-in", headers=name).headers["strict-transport-security"] == "max-age=31536000"
    assert "strict-transport-security" not in client.get("/sign-in").headers
    answer = client.post("/sign-in", data=ANN, headers={**name, "origin": "https://label.example.org"})
    assert answer.status_code == 303
    assert "Secure" in answer.headers["set-cookie"]
    for foreign in ("http://label.example.org", "https://label.example.org:444", ADDRESS):
        assert client.post("/sign-in", data=ANN, headers={**name, "origin": foreign}).status_code == 403


def test_a_proxy_that_rewrites_the_host_works_with_the_public_address_as_origin(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve_with(monkeypatch, project, public_url="https://label.example.org")
    give_password(project, member(project, "Ann", "annotator"))
    client.cookies.clear()
    answer = client.post("/sign-in", data=ANN, headers={"origin": "https://label.example.org"})
    assert answer.status_code == 303
    assert "Secure" in answer.headers["set-cookie"]
    # Requests that only read bear no Origin: they seem to come without https.
    cookies = [header.partition(";")[0] for header in answer.headers.get_list("set-cookie")]
    assert client.get("/", headers={"cookie": "; ".join(cookies)}).status_code == 200


def test_behind_such_a_proxy_a_websocket_arrives_as_of_one_origin(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit asks the network for the address of this machine where Host and Origin differ."""
    serve_with(monkeypatch, project, public_url="https://label.example.org:444")
    monkeypatch.setattr(net_util, "get_external_ip", lambda: pytest.fail("the network was asked"))
    for host in ("127.0.0.1:8501", "label.example.org", "LABEL.example.org:444"):
        headers = {"host": host, "origin": "https://label.example.org:444"}
        with client.websocket_connect(STREAM, headers=headers):
            pass


def test_further_names_are_a_setting_and_without_it_a_refusal_says_so(
    client: TestClient, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = client.get("/", headers={"host": "box:8501"})
    assert "allowed_hosts" in refused.text
    assert "不是" in client.get("/", headers={"host": "box:8501", "accept-language": "zh-CN"}).text
    serve_with(monkeypatch, project, allowed_hosts=("Box",))
    assert client.get("/", headers={"host": "box:8501"}).status_code == 200


def test_listening_everywhere_takes_any_address_and_no_foreign_name() -> None:
    addresses = Addresses.of(Settings(host="0.0.0.0"))
    assert addresses._own_origin("http", "192.168.1.9:8501") == Origin("http", "192.168.1.9", 8501)
    assert addresses._own_origin("http", "[fe80::1]:8501") == Origin("http", "fe80::1", 8501)
    assert addresses._own_origin("http", "evil.example:8501") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "//a",
        "ftp://a",
        "http://",
        "http://a/b",
        "http://a?b",
        "http://a:99999",
        "http://[",
        "http://u@a",
        "http://[::1]a",
        "http://[a]",
        "http://a\tb",
        "http://a#",
        "http://.",
        "http://a:1:2",
        "http://a\n",
    ],
)
def test_what_is_no_origin_is_none(text: str) -> None:
    assert parse_origin(text) is None


@pytest.mark.parametrize("path", ["/", "/sign-in", "/download/timesheet.csv", "/nowhere"])
@pytest.mark.parametrize("host", ["127.0.0.1:8501", "evil.example"])
def test_every_answer_carries_the_headers_refusals_too(client: TestClient, path: str, host: str) -> None:
    headers = client.get(path, headers={"host": host}).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert (headers.get("cache-control") == "no-store") is (
        path in {"/download/timesheet.csv", "/sign-in"}
        and (host != "evil.example" or path.startswith("/download"))
    )
