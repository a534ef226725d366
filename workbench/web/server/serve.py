"""Serve the app.

    python -P -m workbench.web.server.serve      (WORKBENCH_HOME, WORKBENCH_HOST, WORKBENCH_PORT)

This process never imports torch: the garbage collector visits every object with the interpreter's lock held, and
the objects of torch alone take a quarter of a second.
"""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import dbos  # noqa: F401 - loaded before the freeze, as no press that queues a job may wait for it
import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from trainer.running.children import WATCH_STDIN, end_with_parent
from trainer.running.terminal import printable
from workbench import services
from workbench.auditing.settings_in_force import record_settings
from workbench.errors import WorkbenchError
from workbench.project import cookie_secret
from workbench.settings import Settings
from workbench.web.current_project import project
from workbench.web.pages import HOME  # imports the views: before the freeze
from workbench.web.server import downloads, entrance, preferences, shell
from workbench.web.server.door import Door
from workbench.web.server.guard import Guard
from workbench.web.server.organisations import oidc
from workbench.web.server.organisations.peer import NO_PROXY, Peer
from workbench.web.server.uploads import MOST_FILE_MEGABYTES

SWITCH_SECONDS = 0.0005
"""Switch interval of the interpreter's lock.

A key press releases the lock at every statement and message, about fifty times. Beside a thread that computes,
each reacquisition takes one interval; with Python's default of 5 ms they add up to a quarter of a second.
"""

MOST_MESSAGE_MEGABYTES = 10
"""Of a message on a websocket, in both directions: each is held in memory as a whole, and annotators may send them."""

SCRIPT = Path(__file__).parents[1] / "app.py"

CONFIG: dict[str, Any] = {
    "client.toolbarMode": "viewer",
    "client.showErrorDetails": "none",
    "browser.gatherUsageStats": False,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": MOST_FILE_MEGABYTES,
    "server.maxMessageSize": MOST_MESSAGE_MEGABYTES,
    "server.maxWidgetStateSize": MOST_MESSAGE_MEGABYTES,
    "runner.postScriptGC": False,  # the automatic collection suffices, without one after each key press
    "logger.hideWelcomeMessage": True,  # `workbench up` prints the address
    "theme.font": "Source Sans, PingFang SC, Microsoft YaHei, Noto Sans CJK SC, sans-serif",
    "theme.baseRadius": "0.375rem",
    "theme.baseFontSize": 15,
    "theme.light.primaryColor": "#3a5a78",
    "theme.light.chartCategoricalColors": ["#3a5a78", "#a05a2c"],
    "theme.light.backgroundColor": "#fbfaf8",
    "theme.light.secondaryBackgroundColor": "#f1efeb",
    "theme.light.textColor": "#2f2d2b",
    "theme.dark.primaryColor": "#8fb3d3",
    "theme.dark.chartCategoricalColors": ["#8fb3d3", "#d9a27a"],
    "theme.dark.backgroundColor": "#171614",
    "theme.dark.secondaryBackgroundColor": "#24221f",
    "theme.dark.textColor": "#edebe8",
}


def show_home(_request: Request) -> RedirectResponse:
    """Streamlit serves HOME at `/` alone and answers its name with an English "Page not found"."""
    return RedirectResponse("/", 303)


ROUTES = [
    *entrance.ROUTES,
    *preferences.ROUTES,
    *oidc.ROUTES,
    *downloads.ROUTES,
    Route(f"/{HOME.name}", show_home),
]
MIDDLEWARE = [Middleware(Door), Middleware(Guard)]


def make_app(settings: Settings) -> st.App:
    peer = Middleware(Peer, settings.forwarded_allow_ips)
    return st.App(SCRIPT, routes=[*ROUTES, *shell.ROUTES], middleware=[peer, *MIDDLEWARE])


def main() -> int:
    os.umask(0o077)  # posts and names are for this user alone
    try:
        settings = project().settings
        services.refuse_open_door(project(), settings.host)
        cookie_secret(project())  # unreadable, it would fail each request
        record_settings(project(), "web app")
    except (WorkbenchError, OSError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 1
    if WATCH_STDIN in sys.argv:
        end_with_parent()
    leave_headers_to_us()
    app = make_app(settings)
    sys.setswitchinterval(SWITCH_SECONDS)
    # Objects loaded by now live until exit: frozen, they cost the collector nothing.
    gc.collect()
    gc.freeze()
    app.run(config={**CONFIG, **_config_of(settings)})
    return 0


def _config_of(settings: Settings) -> dict[str, Any]:
    return {
        "server.address": settings.host,
        "server.port": settings.port,
        "server.corsAllowedOrigins": [settings.public_url] if settings.public_url else [],
    }


def leave_headers_to_us() -> None:
    """Uvicorn reads this variable. By default it believes every client on this machine; `Peer` believes the proxies."""
    os.environ["FORWARDED_ALLOW_IPS"] = NO_PROXY


if __name__ == "__main__":
    sys.exit(main())
