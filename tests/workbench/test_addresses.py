"""The port of the web app: a named one is kept, the default one gives way, and a refusal says what holds it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import workbench.web.server
from workbench import addresses
from workbench.addresses import choose_port
from workbench.errors import InputError
from workbench.settings import Settings

HOST = "127.0.0.1"
SIGN_IN_PAGE = (Path(workbench.web.server.__path__[0]) / "plain_page.html").read_bytes()


def unnamed(port: int) -> Settings:
    """Settings whose default is this port."""
    return Settings.model_construct(_fields_set=set(), port=port)


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@contextmanager
def serving(page: bytes) -> Iterator[int]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, format: str, *args: object) -> None: ...

    with HTTPServer((HOST, 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def test_a_free_port_is_taken_as_it_is() -> None:
    with listening() as port:
        pass
    assert choose_port(unnamed(port), HOST, None) == (port, None)


def test_the_default_port_gives_way_to_a_later_one_that_is_free() -> None:
    with listening() as port:
        chosen, taken = choose_port(unnamed(port), HOST, None)
    assert taken == port
    assert port < chosen <= port + addresses.OTHER_PORTS
    assert not addresses.listens((HOST, chosen))


@pytest.mark.parametrize("is_option", [True, False])
def test_a_port_named_by_option_or_settings_is_not_replaced(is_option: bool) -> None:
    with (
        listening() as port,
        pytest.raises(InputError, match=f"Another program listens on port {port} already"),
    ):
        choose_port(Settings() if is_option else Settings(port=port), HOST, port if is_option else None)


def test_a_refusal_says_that_another_workbench_holds_the_port() -> None:
    with (
        serving(SIGN_IN_PAGE) as port,
        pytest.raises(InputError, match=f"Another workbench serves http://{HOST}:{port} already"),
    ):
        choose_port(Settings(), HOST, port)


def test_a_page_of_another_program_is_not_taken_for_a_workbench() -> None:
    with serving(b"<title>Jupyter</title>") as port, pytest.raises(InputError, match="Another program"):
        choose_port(Settings(), HOST, port)


def test_without_a_free_port_the_default_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "OTHER_PORTS", 0)
    with listening() as port, pytest.raises(InputError, match=f"port {port} already"):
        choose_port(unnamed(port), HOST, None)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0.0.0.0", "127.0.0.1:80"),
        ("::", "[::1]:80"),
        ("0:0:0:0:0:0:0:0", "[::1]:80"),
        ("::1", "[::1]:80"),
        ("localhost", "localhost:80"),
        ("10.1.1.1", "10.1.1.1:80"),
    ],
)
def test_the_address_to_open_is_one_that_a_browser_takes(host: str, shown: str) -> None:
    assert addresses.shown(addresses.reached_at(host, 80)) == shown
