"""The outermost middleware: addresses, origins and sizes are checked before anything of a request is read.

Every response gets the security headers, also those of Streamlit.
"""

from contextlib import suppress
from functools import lru_cache
from types import MappingProxyType

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from workbench.settings import Settings
from workbench.web.current_project import project
from workbench.web.server.origins import Addresses, Arrival
from workbench.web.server.refusing import refusal
from workbench.web.server.uploads import MOST_UPLOAD_BYTES, UPLOADS
from workbench.web.wording.i18n import N_

YEAR = 365 * 24 * 3600
READS = frozenset({"GET", "HEAD", "OPTIONS"})
FORM = "application/x-www-form-urlencoded"
MOST_FORM_BYTES = 16_384
PRIVATE = ("/download/", "/media/")
"""Files with posts or names: no cache keeps them."""

NOT_OUR_HOST = N_("This is not an address of the workbench. Its operator can add it to allowed_hosts.")
OTHER_SITE = N_("That request came from another site. Open the page again and repeat.")
TOO_LARGE = N_("That is too large.")
NO_LENGTH = N_("Say how large the file is.")
NO_FORM = N_("Only simple forms are read here.")

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Streamlit runs a component's own script from a blob; `shell.py` moves its inline script to a file.
        "script-src 'self' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = MappingProxyType(
    {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
)


class Door:
    """Refuses requests under foreign addresses, writes and websockets of other sites, and large or odd bodies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        arrival = _addresses(project().settings).arrival(scope)
        if scope["type"] == "websocket":
            await self._websocket(arrival, scope, receive, send)
        else:
            await self._http(arrival, scope, receive, _with_headers(scope["path"], send, arrival))

    async def _websocket(self, arrival: Arrival, scope: Scope, receive: Receive, send: Send) -> None:
        if arrival.address is None or not arrival.is_from_us:
            await WebSocketClose(code=1008)(scope, receive, send)
            return
        scheme = arrival.address.scheme.replace("http", "ws")
        await self._app({**_same_origin(scope), "scheme": scheme}, receive, send)

    async def _http(self, arrival: Arrival, scope: Scope, receive: Receive, send: Send) -> None:
        refused = _refused(arrival, scope)
        if refused is not None:
            await refusal(scope, *refused)(scope, receive, send)
            return
        assert arrival.address is not None
        # The scheme decides whether cookies are marked as secure.
        reached = {**scope, "scheme": arrival.address.scheme}
        with suppress(ClientDisconnect):  # else each connection that breaks off leaves a traceback in the log
            await self._app(reached, _limited(receive, _most_bytes(scope)), send)


def _same_origin(scope: Scope) -> Scope:
    """The scope with the Host of its Origin.

    The two differ behind a proxy that rewrites Host. Streamlit compares them again, and where they differ it asks a
    service on the network for the address of this machine, which stops the event loop until an answer or a timeout.
    """
    host = Headers(scope=scope)["origin"].partition("://")[2].rstrip("/").encode("latin-1")
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {**scope, "headers": [(b"host", host), *others]}


def _refused(arrival: Arrival, scope: Scope) -> tuple[int, str] | None:
    """Status and sentence, decided by the head of the request alone."""
    if arrival.address is None:
        return 400, NOT_OUR_HOST
    if scope["method"] not in READS and not arrival.is_from_us:
        return 403, OTHER_SITE
    return _refused_body(scope)


def _refused_body(scope: Scope) -> tuple[int, str] | None:
    headers = Headers(scope=scope)
    length, is_chunked = headers.get("content-length", ""), "transfer-encoding" in headers
    if length and not (length.isascii() and length.isdigit() and len(length) < 20):
        return 400, NO_LENGTH
    if int(length or 0) > _most_bytes(scope):
        return 413, TOO_LARGE
    if scope["method"] == "PUT" and scope["path"].startswith(UPLOADS):
        # Beside chunks a stated length means nothing, and the limits of uploads count what is stated.
        return (411, NO_LENGTH) if is_chunked or not length else None
    has_body = int(length or 0) > 0 or is_chunked
    return (415, NO_FORM) if has_body and not _takes_form(scope, headers) else None


def _takes_form(scope: Scope, headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return scope["method"] not in READS and kind == FORM


def _most_bytes(scope: Scope) -> int:
    is_upload = scope["method"] == "PUT" and scope["path"].startswith(UPLOADS)
    return MOST_UPLOAD_BYTES if is_upload else MOST_FORM_BYTES


def _limited(receive: Receive, most: int) -> Receive:
    """A stated length may be missing or wrong, so the bytes are counted as well."""
    left = most

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, TOO_LARGE)
        return message

    return counted


def _with_headers(path: str, send: Send, arrival: Arrival) -> Send:
    is_https = arrival.address is not None and arrival.address.scheme == "https"

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            if is_https:
                headers["Strict-Transport-Security"] = f"max-age={YEAR}"
            if path.startswith(PRIVATE):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return send_with_headers


@lru_cache(maxsize=4)
def _addresses(settings: Settings) -> Addresses:
    return Addresses.of(settings)
