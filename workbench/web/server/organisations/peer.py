"""Who is at the other end of the socket, before X-Forwarded-For of a trusted proxy replaces it."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

PEER = "workbench.peer"
"""Key of the scope: an IP address, or None."""
NO_PROXY = "none"
"""The address of no client: no proxy is trusted."""


class Peer:
    """The outermost middleware. Uvicorn's own, which would come before it, is told to trust no proxy.

    Args:
        proxies: addresses and networks whose X-Forwarded headers are believed.
    """

    def __init__(self, app: ASGIApp, proxies: Sequence[str]) -> None:
        self._app = ProxyHeadersMiddleware(app, list(proxies) or [NO_PROXY])  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            client = scope.get("client")
            scope[PEER] = client[0] if client else None
        await self._app(scope, receive, send)  # type: ignore[arg-type]
