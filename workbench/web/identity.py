"""Who a request or session belongs to: a signed cookie, and the database asked every time.

The cookie holds the person's number and a random token. Signing out records the token, so a copy
of the cookie is dead from then on, after a restart too.
"""

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

COOKIE = "workbench"
SECONDS_KNOWN = 14 * 24 * 3600


@dataclass(frozen=True)
class SignedIn:
    """A person and the token of the cookie that says so."""

    account: Account
    token: str


def make_cookie(project: Project, account: Account) -> str:
    """A new cookie's value for somebody who has just signed in."""
    return _signer(project).dumps([account.id, secrets.token_urlsafe(16)])


def signed_in(project: Project, cookies: Mapping[str, str]) -> SignedIn | None:
    """Who sent these cookies; None when forged, too old, signed out or disabled."""
    try:
        person_id, token = _signer(project).loads(cookies.get(COOKIE, ""), max_age=SECONDS_KNOWN)
    except (BadSignature, ValueError, TypeError):
        return None
    account = accounts.find_signed_in(project, person_id, token)
    return None if account is None else SignedIn(account, token)


def current_account() -> Account | None:
    """Whoever this script runs for, as the database knows them now."""
    visitor = signed_in(project(), st.context.cookies.to_dict())
    return visitor.account if visitor else None


def _signer(project: Project) -> URLSafeTimedSerializer:
    return _signer_with(cookie_secret(project))


@lru_cache(maxsize=4)
def _signer_with(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="sign-in")
