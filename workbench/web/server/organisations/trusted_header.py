"""What a proxy in front of the app states of a sender, in a header that is believed from its address alone."""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Message, Scope, Send

from workbench.errors import NotAllowedError
from workbench.people.identities import PROXY, Statement
from workbench.settings import Settings
from workbench.web.identity import set_session_cookie
from workbench.web.server.organisations.peer import PEER

STATEMENT = "workbench.statement"
"""Key of the scope: what the proxy states, None for a sender of whom it states nothing."""
IDENTITY_HEADERS = frozenset(
    {
        "remote-user",
        "x-remote-user",
        "x-forwarded-user",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-forwarded-preferred-username",
        "x-auth-request-user",
        "x-auth-request-email",
        "x-auth-request-groups",
        "x-streamlit-user",
    }
)


def take_statement(scope: Scope, settings: Settings) -> Statement | None:
    """Removes every header that claims an identity; what the proxy states is in the scope as well.

    Raises NotAllowedError for a header of the proxy that stands there twice or is no name.
    """
    statement = (
        _statement_of(scope, settings) if _is_proxy(scope.get(PEER), settings.proxy_user_from) else None
    )
    own = {name for name in (settings.proxy_user_header, settings.proxy_groups_header) if name}
    dropped = {name.encode() for name in IDENTITY_HEADERS | own}
    scope["headers"] = [(name, value) for name, value in scope["headers"] if name not in dropped]
    scope[STATEMENT] = statement
    return statement


def with_session(connection: HTTPConnection, token: str, send: Send) -> Send:
    """The answer to a first page carries the cookie of its session. No redirect: a client without cookies would go round."""
    carrier = Response()
    set_session_cookie(connection, carrier, token)

    async def send_with_cookie(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("set-cookie", carrier.headers["set-cookie"])
        await send(message)

    return send_with_cookie


def _statement_of(scope: Scope, settings: Settings) -> Statement | None:
    assert settings.proxy_user_header is not None
    user = _only(scope, settings.proxy_user_header)
    if not user:
        return None
    groups = None
    if settings.proxy_groups_header is not None:
        groups = frozenset(part.strip() for part in _only(scope, settings.proxy_groups_header).split(","))
    return Statement(PROXY, user, user, groups)


def _only(scope: Scope, name: str) -> str:
    """The value of the header, empty if it is not there. Raises NotAllowedError."""
    values: list[bytes] = [value for key, value in scope["headers"] if key == name.encode()]
    try:
        (value,) = values or [b""]
        text = value.decode().strip()
    except ValueError as error:
        raise _unclear(name) from error
    if not text.isprintable():
        raise _unclear(name)
    return text


def _unclear(name: str) -> NotAllowedError:
    return NotAllowedError("The proxy states {header} twice, or not as text. Ask its operator.", header=name)


def _is_proxy(peer: object, proxies: Iterable[str]) -> bool:
    try:
        address = ip_address(str(peer))
    except ValueError:  # a socket that is no network's
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ip_network(proxy) for proxy in proxies)
