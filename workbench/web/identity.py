"""Identity of a request or a session of pages: the token in a cookie, looked up in the database every time."""

import hashlib
from collections.abc import Iterable, Mapping

import streamlit as st
from starlette.requests import HTTPConnection
from starlette.responses import Response

from workbench import addresses
from workbench.accounts import Account
from workbench.errors import NotAllowedError
from workbench.people import sessions
from workbench.people.sessions import SignedIn, Visitor
from workbench.project import Project, cookie_secret
from workbench.web.current_project import project


def cookie_name(project: Project, *, is_https: bool) -> str:
    """Differs by project: browsers send a cookie to every port of a host, so that two workbenches would share one.

    Browsers accept a `__Host-` cookie from this very host over https alone. Without https there is only loopback.
    """
    mark = hashlib.sha256(cookie_secret(project).encode()).hexdigest()[:8]
    return f"__Host-workbench-{mark}" if is_https else f"workbench-{mark}"


def is_https(connection: HTTPConnection) -> bool:
    return connection.url.scheme in {"https", "wss"}


def set_session_cookie(connection: HTTPConnection, response: Response, token: str) -> None:
    https = is_https(connection)
    response.set_cookie(
        cookie_name(project(), is_https=https),
        token,
        max_age=int(project().settings.session_days * 24 * 3600),
        httponly=True,
        samesite="lax",
        secure=https,
    )


def refuse_open_line(connection: HTTPConnection) -> None:
    """Raises NotAllowedError where a password or a cookie would be readable on its way."""
    if not is_https(connection) and not addresses.is_loopback(connection.url.hostname or ""):
        raise NotAllowedError(
            "From other machines the workbench is reached over https alone. Its operator sets public_url."
        )


def sender_of(connection: HTTPConnection) -> Visitor:
    client = connection.client.host if connection.client else ""
    return Visitor(client, connection.headers.get("user-agent", ""))


def visitor_of(connection: HTTPConnection) -> SignedIn | None:
    """Who sent this request; None if the session has ended or never was.

    A `__Host-` cookie came over https, also where a proxy that rewrites Host hides that. Over https no other counts: a
    network attacker could have set it.
    """
    return _signed_in(project(), connection.cookies, [True] if is_https(connection) else [True, False])


def current_visitor() -> SignedIn | None:
    """Who looks at the page that is being run. The guard has checked the cookie of the connection by its scheme."""
    return _signed_in(project(), st.context.cookies.to_dict(), [True, False])


def current_account() -> Account | None:
    visitor = current_visitor()
    return visitor.account if visitor else None


def _signed_in(project: Project, cookies: Mapping[str, str], schemes: Iterable[bool]) -> SignedIn | None:
    names = (cookie_name(project, is_https=is_https) for is_https in schemes)
    token = next((cookies[name] for name in names if name in cookies), None)
    return sessions.find(project, token) if token else None
