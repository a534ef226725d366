"""Identity of a request or a session: a signed cookie, checked against the database every time.

The cookie holds the account's number and a random token. Signing out records the token, so that a copy of the
cookie stays invalid, also after a restart.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import streamlit as st
from itsdangerous import BadSignature, URLSafeTimedSerializer

from workbench import accounts
from workbench.accounts import Account
from workbench.project import Project, cookie_secret
from workbench.web.current_project import project

COOKIE_SECONDS = 14 * 24 * 3600


@dataclass(frozen=True)
class SignedIn:
    account: Account
    token: str


def cookie_name(project: Project) -> str:
    """Differs by project: browsers send a cookie to every port of a host, so that two workbenches would share one."""
    return f"workbench-{hashlib.sha256(cookie_secret(project).encode()).hexdigest()[:8]}"


def make_cookie(project: Project, account: Account) -> str:
    return _signer(project).dumps([account.id, secrets.token_urlsafe(16)])


def signed_in(project: Project, cookies: Mapping[str, str]) -> SignedIn | None:
    """The sender of these cookies; None if they are forged, expired, signed out or of a disabled account."""
    try:
        person_id, token = _signer(project).loads(
            cookies.get(cookie_name(project), ""), max_age=COOKIE_SECONDS
        )
    except (BadSignature, ValueError, TypeError):
        return None
    account = accounts.find_signed_in(project, person_id, token)
    return None if account is None else SignedIn(account, token)


def current_account() -> Account | None:
    visitor = signed_in(project(), st.context.cookies.to_dict())
    return visitor.account if visitor else None


def _signer(project: Project) -> URLSafeTimedSerializer:
    return _signer_with(cookie_secret(project))


@lru_cache(maxsize=4)
def _signer_with(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="sign-in")
