"""Middleware behind the door: no access without an open session, and to some addresses of Streamlit none without a right."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from workbench import accounts
from workbench.accounts import Account, Right
from workbench.errors import NotAllowedError
from workbench.people import identities, sessions
from workbench.people.identities import PROXY, Statement
from workbench.people.sessions import SignedIn
from workbench.web.current_project import project
from workbench.web.identity import refuse_open_line, sender_of, visitor_of
from workbench.web.pages import PAGES, PATHS
from workbench.web.server.organisations.trusted_header import take_statement, with_session
from workbench.web.server.plain_pages import is_page_wanted, language_of
from workbench.web.server.refusing import refusal, told
from workbench.web.server.sockets import OpenSockets
from workbench.web.server.uploads import UPLOADS, Uploads, held_by_streamlit
from workbench.web.wording.i18n import N_
from workbench.web.wording.refusals import refusal_in

SIGN_IN = "/sign-in"
OIDC, OIDC_CALLBACK = f"{SIGN_IN}/oidc", f"{SIGN_IN}/oidc/callback"
OPEN_PATHS = frozenset({SIGN_IN, OIDC, OIDC_CALLBACK, "/_stcore/health", "/favicon.png"})
JOIN = "/join/"
OPEN_FOLDERS = ("/static/", "/language/", JOIN)

RIGHTS: Mapping[str, Right] = MappingProxyType({UPLOADS: Right.IMPORT, "/_stcore/metrics": Right.RUN_ROUNDS})
"""Rights by the beginning of an address. The use cases of our own addresses check their rights themselves."""

NOT_PAGES = ("/_stcore/", "/media/", "/component/", "/download/", "/start.js")
"""Other addresses that a browser opens, by their beginning."""

NO_PAGE = N_("There is no such page.")
SIGN_IN_FIRST = N_("Sign in first.")
NO_RIGHT = N_("You may not do this. Ask a lead.")
TOO_MANY_FILES = N_("Too many files are open. Close other pages that import, or use workbench import.")

open_sockets = OpenSockets(lambda ids: sessions.ended_of(project(), ids))


class Guard:
    def __init__(self, app: ASGIApp, uploads: Uploads | None = None) -> None:
        self._app = app
        self._uploads = uploads or Uploads(held_by_streamlit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        try:
            statement = take_statement(scope, project().settings)
            visitor, send = (
                (None, send) if _is_open(scope["path"]) else await _visitor(scope, statement, send)
            )
        except NotAllowedError as error:
            await _turn_down(error, scope, receive, send)
            return
        if _is_open(scope["path"]):
            await self._app(scope, receive, send)
        elif visitor:
            await self._let_in(visitor, scope, receive, send)
        else:
            await _turn_away(scope, receive, send)

    async def _let_in(self, visitor: SignedIn, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await open_sockets.run(self._app, visitor.session_id, scope, receive, send)
        elif _is_closed_page(visitor.account, scope["path"]):
            await RedirectResponse("/", 303)(scope, receive, send)
        elif _is_no_page(scope):
            await refusal(scope, 404, NO_PAGE)(scope, receive, send)
        elif not await _has_right(visitor.account, scope["path"]):
            await refusal(scope, 403, NO_RIGHT)(scope, receive, send)
        elif scope["method"] == "PUT" and scope["path"].startswith(UPLOADS):
            await self._upload(visitor.account, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _upload(self, account: Account, scope: Scope, receive: Receive, send: Send) -> None:
        size = int(Headers(scope=scope)["content-length"])
        with self._uploads.arriving(account.id, scope["path"], size) as is_admitted:
            if is_admitted:
                await self._app(scope, receive, send)
            else:
                await refusal(scope, 413, TOO_MANY_FILES)(scope, receive, send)


async def _turn_away(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(code=1008, reason="not signed in")(scope, receive, send)
    elif scope["path"] in PATHS:
        await RedirectResponse(f"{SIGN_IN}?next={quote(scope['path'])}", 303)(scope, receive, send)
    else:
        await refusal(scope, 401, SIGN_IN_FIRST)(scope, receive, send)


async def _turn_down(error: NotAllowedError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(code=1008, reason="not allowed")(scope, receive, send)
        return
    sentence = refusal_in(error, language_of(HTTPConnection(scope)))
    await told(scope, 403, sentence)(scope, receive, send)


def _is_page(scope: Scope) -> bool:
    return scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in PATHS


def _is_closed_page(account: Account, path: str) -> bool:
    """Streamlit answers such an address with a dialog in English: no such page."""
    return any(path == f"/{page.name}" and not page.is_open_to(account) for page in PAGES)


def _is_no_page(scope: Scope) -> bool:
    """Streamlit answers any other address with its document, and then with a dialog in English."""
    is_read = scope["type"] == "http" and scope["method"] == "GET" and is_page_wanted(HTTPConnection(scope))
    return is_read and scope["path"] not in PATHS and not scope["path"].startswith(NOT_PAGES)


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


async def _visitor(scope: Scope, statement: Statement | None, send: Send) -> tuple[SignedIn | None, Send]:
    """Who sent the request; a person of whom a proxy states that they have come begins a session with their first page."""
    visitor = await _of_session(scope, statement)
    if visitor is None and statement is not None and _is_page(scope):
        return await _begin(scope, statement, send)
    return visitor, send


async def _of_session(scope: Scope, statement: Statement | None) -> SignedIn | None:
    """A session that a proxy has begun counts with its statement alone, and beside a statement only a session of that person."""
    visitor = await run_in_threadpool(visitor_of, HTTPConnection(scope))
    if visitor is None or statement is None:
        return None if visitor is None or visitor.means == PROXY else visitor
    is_theirs = await run_in_threadpool(identities.is_of, project(), visitor.account, statement)
    return visitor if is_theirs else None


async def _begin(scope: Scope, statement: Statement, send: Send) -> tuple[SignedIn | None, Send]:
    """Raises NotAllowedError."""
    connection = HTTPConnection(scope)
    refuse_open_line(connection)
    token = await run_in_threadpool(identities.sign_in, project(), statement, PROXY, sender_of(connection))
    visitor = await run_in_threadpool(sessions.find, project(), token)
    return visitor, with_session(connection, token, send)


async def _has_right(account: Account, path: str) -> bool:
    """A refusal is recorded."""
    right = next((right for start, right in RIGHTS.items() if path.startswith(start)), None)
    if right is None:
        return True
    try:
        await run_in_threadpool(accounts.check, project(), account, right)
    except NotAllowedError:
        return False
    return True
