"""A served project, and a real Chromium."""

import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from tests.workbench.making import import_texts
from tests.workbench.team import cookies_of, member
from workbench import accounts
from workbench.imports.preparing import prepare
from workbench.people.preferences import end_welcome
from workbench.project import Project, init_project
from workbench.queue import swap
from workbench.services import web_command

ROOT = Path(__file__).parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SECONDS_TO_START = 60
PATIENCE_MS = 20_000
IDLE = "[data-testid=stApp][data-test-script-state=notRunning]"

SignIn = Callable[..., Page]
Theme = Literal["light", "dark"]


@dataclass
class LabelPage:
    """Drives the Label page. Every step waits for its visible effect."""

    page: Page

    @property
    def post(self) -> Locator:
        return self.page.locator(".desk .post")

    @property
    def last(self) -> Locator:
        return self.page.locator(".desk .last")

    def wait_until_seen(self) -> str:
        """Returns the post's text, once it has been on screen long enough for keys to count."""
        self.page.wait_for_selector("html[data-keys=ready]", state="attached")
        return self.post.inner_text()

    def press(self, key: str) -> str:
        """Waits for another post and for the server's acknowledgement; returns the first post's text."""
        text = self.wait_until_seen()
        self.page.keyboard.press(key)
        expect(self.post).not_to_have_text(text)
        self.page.wait_for_selector("html:not([data-keys=sent])", state="attached")
        return text


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "project"


@pytest.fixture
def live_project(home: Path) -> Iterator[Project]:
    """On the real clock, because the browser uses it."""
    project = init_project(home)
    yield project
    project.database.dispose()


class Server:
    """`project`: the one that is served."""

    project: Project

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, project: Project, port: int | None = None) -> str:
        """Replaces the server that is running; returns the address."""
        self.stop()
        self.project = project
        port = port or free_port()
        with child(web_command(), WORKBENCH_HOME=str(project.home), WORKBENCH_PORT=str(port)) as process:
            self._process = process
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: is_served(address), SECONDS_TO_START)
        return address

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Its connections stay open, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def serve() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


def browser_cookies(project: Project, name: str, address: str, role: str = "annotator") -> list[Any]:
    """For `BrowserContext.add_cookies`, whose type Playwright does not export. The person knows their way around."""
    person = member(project, name, role)
    end_welcome(project, person)
    cookies = cookies_of(project, person)
    return [{"name": key, "value": value, "url": address} for key, value in cookies.items()]


@pytest.fixture
def sign_in(browser: Browser, serve: Server) -> Iterator[SignIn]:
    """Opens a page as a person of the served project, with a session that they began earlier."""
    contexts = []

    def enter(
        address: str,
        name: str = "Ann",
        role: str = "annotator",
        locale: str = "en-US",
        theme: Theme = "light",
    ) -> Page:
        context = browser.new_context(locale=locale, color_scheme=theme)
        context.set_default_timeout(PATIENCE_MS)
        contexts.append(context)
        context.add_cookies(browser_cookies(serve.project, name, address, role))
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector(IDLE)
        return page

    yield enter
    for context in contexts:
        context.close()


def seed(project: Project, texts: list[str]) -> None:
    """Imports, prepares and queues posts, without a model."""
    import_texts(project, accounts.command_line(project), texts)
    prepare(project)
    swap.rebuild(project)


@contextmanager
def child(command: list[str], **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    yield subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path} | variables, start_new_session=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def is_served(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as answer:  # noqa: S310 - our own address
            is_up: bool = answer.status == 200
            return is_up
    except (URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
