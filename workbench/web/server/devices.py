"""A signed cookie by which a browser shows that an account was signed in to from it before. It opens nothing."""

import secrets
from functools import lru_cache

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import HTTPConnection

from workbench.project import cookie_secret
from workbench.web.current_project import project
from workbench.web.identity import cookie_name, is_https

YEAR = 365 * 24 * 3600


def device_cookie_name(connection: HTTPConnection) -> str:
    return cookie_name(project(), is_https=is_https(connection)) + "-known"


def new_device(key: str) -> str:
    """The value of the cookie for the account whose name has this key."""
    return _signer(cookie_secret(project())).dumps([key, secrets.token_urlsafe(9)])


def device_of(connection: HTTPConnection, key: str) -> str | None:
    """The number of the sender's browser, if it has signed in to this account before."""
    cookie = connection.cookies.get(device_cookie_name(connection), "")
    try:
        known, number = _signer(cookie_secret(project())).loads(cookie, max_age=YEAR)
    except (BadSignature, ValueError, TypeError):
        return None
    return str(number) if known == key else None


@lru_cache(maxsize=4)
def _signer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="device")
