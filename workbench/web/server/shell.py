"""The HTML document of the pages: Streamlit's own, with its inline scripts in a file.

The content security policy refuses inline scripts. The file also names the server's address: without it Streamlit's
client looks for the server below the address of the page first (`/posts/_stcore/health`). It begins with our own
`connection.js`, which has to run before Streamlit's client opens its websocket, and `theme.js`, before it draws anything. For readers of
other languages `names.js` translates what that client says in English alone.
"""

import json
import re
from functools import cache
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from workbench.web.frame.theme import COOKIE as THEME_COOKIE
from workbench.web.frame.theme import choose_theme
from workbench.web.pages import HOME, PATHS
from workbench.web.server.plain_pages import language_of
from workbench.web.wording.i18n import N_, TAGS, catalogue

DOCUMENT = Path(streamlit.__file__).parent / "static" / "index.html"
CONNECTION, THEME, NAMES = (
    Path(__file__).with_name(name) for name in ("connection.js", "theme.js", "names.js")
)
STREAMLIT_NAMES = (
    N_("Skip to main content"),
    N_("Open"),
    N_("Increment"),
    N_("Decrement"),
    N_("Choose date"),
    N_("Choose an option"),
    N_("Choose options"),
    N_("Empty"),
    N_("Close"),
    N_("Clear all"),
    N_("Clear value"),
    N_("Copy to clipboard"),
    N_("Show password text"),
    N_("Hide password text"),
    N_("Vega visualization"),
    N_("Shortcut 1"),
    N_("Shortcut 2"),
    N_("Shortcut 3"),
)
"""Which Streamlit's client has in English alone."""
START = "/start.js"
NOT_CACHED = {"Cache-Control": "no-cache"}
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
AWAY = N_("The server does not answer. What you see stays here; this goes by itself when it is back.")
_ADDRESS = "window.__streamlit = { BACKEND_BASE_URL: window.location.origin };"


async def show_page(request: Request) -> Response:
    theme = choose_theme(request.cookies.get(THEME_COOKIE))
    return HTMLResponse(document(language_of(request), theme), headers=NOT_CACHED)


async def start_script(request: Request) -> Response:
    return Response(script(language_of(request)), media_type="text/javascript", headers=NOT_CACHED)


@cache
def document(language: str, theme: str) -> str:
    tag = f'<head><script src="{START}"></script>'
    html = f'<html lang="{TAGS[language]}" data-theme="{theme}"'
    return _INLINE.sub("", _source()).replace("<head>", tag, 1).replace('<html lang="en"', html, 1)


@cache
def script(language: str) -> str:
    _ = catalogue(language).gettext
    away = f"const AWAY = {json.dumps(_(AWAY))};"
    own = [away, *(file.read_text(encoding="utf-8") for file in (CONNECTION, THEME))]
    if any(_(name) != name for name in STREAMLIT_NAMES):
        table = json.dumps({name: _(name) for name in STREAMLIT_NAMES})
        own.append(f"const STREAMLIT_NAMES = {table};\n{NAMES.read_text(encoding='utf-8')}")
    return "\n".join([*own, _ADDRESS, *_INLINE.findall(_source())])


@cache
def _source() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


ROUTES = [
    Route(START, start_script),
    *(Route(path, show_page) for path in sorted(PATHS - {f"/{HOME.name}"})),
]
