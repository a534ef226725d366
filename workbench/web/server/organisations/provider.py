"""An OpenID Connect provider: discovery, the authorisation code flow with PKCE, and the ID token, by Authlib."""

import logging
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from authlib.integrations.starlette_client import OAuthError, StarletteIntegration, StarletteOAuth2App
from httpx2 import HTTPError, InvalidURL
from joserfc.errors import JoseError

from trainer.running.terminal import printable
from workbench.errors import InputError, NotAllowedError
from workbench.people.identities import LONGEST_SUBJECT, Statement
from workbench.settings import Settings

ALGORITHMS = ("RS256", "ES256")
"""Of signatures. With a key that others know (HS256), or none, anybody could sign."""
ANSWER_SECONDS = 10.0
LEEWAY_SECONDS = 60
"""Between the provider's clock and ours."""
DISCOVERY = "/.well-known/openid-configuration"
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True)
class Flow:
    """A sign-in that has begun, as the browser keeps it. `verifier` is PKCE's."""

    state: str
    nonce: str
    verifier: str


class BadTokenError(NotAllowedError):
    pass


class Provider:
    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer is not None
        assert settings.oidc_client_id is not None
        self._settings, self._issuer = settings, settings.oidc_issuer
        self._client_id = settings.oidc_client_id
        secret = settings.oidc_client_secret
        self._app = _App(
            self._issuer,
            client_id=self._client_id,
            client_secret=None if secret is None else secret.get_secret_value(),
            client_kwargs={
                "scope": settings.oidc_scopes,
                "code_challenge_method": "S256",
                "timeout": ANSWER_SECONDS,
            },
        )

    async def begin(self, callback: str) -> tuple[str, Flow]:
        """The address to send the browser to. Raises InputError if the provider does not answer as it should."""
        with self._answering():
            begun = await self._app.create_authorization_url(callback, nonce=secrets.token_urlsafe(32))
        return begun["url"], Flow(begun["state"], begun["nonce"], begun["code_verifier"])

    async def statement(self, flow: Flow, code: str, callback: str) -> Statement:
        """What the provider says of the one who comes with this code.

        Raises InputError if it does not answer as it should, NotAllowedError if it refuses the code or its token is invalid.
        """
        with self._answering():
            token = await self._app.fetch_access_token(
                redirect_uri=callback, code=code, code_verifier=flow.verifier
            )
            claims = await self._claims(token, flow.nonce)
        return self._statement(claims)

    async def _claims(self, token: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        options = {
            "iss": {"essential": True, "value": self._issuer},
            "aud": {"essential": True, "value": self._client_id},
        }
        try:
            claims = await self._app.parse_id_token(token, nonce, options, leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _bad_token(repr(error)) from error
        if claims is None:
            raise _bad_token("no ID token")
        return dict(claims)

    def _statement(self, claims: Mapping[str, Any]) -> Statement:
        subject, name = claims["sub"], claims.get(self._settings.oidc_name_claim)
        groups = claims.get(self._settings.oidc_groups_claim)
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise _bad_token("no usable subject")
        return Statement(self._issuer, subject, name if isinstance(name, str) else "", _groups(groups))

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except OAuthError as error:
            _log(str(error))
            raise NotAllowedError("The sign-in service refused. Start again.") from error
        except (HTTPError, InvalidURL, ValueError, TypeError, RuntimeError) as error:
            _log(repr(error))
            raise InputError(
                "The sign-in service {issuer} does not answer as it should. Try again later, or ask a lead.",
                issuer=self._issuer,
            ) from error


class _App(StarletteOAuth2App):  # type: ignore[misc]  # Authlib has no types
    def __init__(self, issuer: str, **options: object) -> None:
        self._issuer = issuer
        address = issuer.rstrip("/") + DISCOVERY
        super().__init__(StarletteIntegration("oidc"), "oidc", server_metadata_url=address, **options)

    async def load_server_metadata(self) -> dict[str, Any]:
        """With our algorithms: Authlib accepts those that the provider lists. Raises ValueError, and keeps no bad document."""
        loaded: dict[str, Any] = await super().load_server_metadata()
        try:
            _check_document(loaded, self._issuer)
        except ValueError:
            loaded.clear()
            raise
        loaded["id_token_signing_alg_values_supported"] = list(ALGORITHMS)
        return loaded


def _check_document(document: Mapping[str, Any], issuer: str) -> None:
    """It may not state another issuer, and no address on an open line unless the issuer's own is one."""
    schemes = ("https://",) if issuer.startswith("https://") else ("https://", "http://")
    addresses = [str(document.get(name)) for name in ENDPOINTS]
    if document.get("issuer") != issuer:
        raise ValueError(f"its issuer is {document.get('issuer')}")
    if not all(address.startswith(schemes) for address in addresses):
        raise ValueError(f"its addresses are {addresses}")


@lru_cache(maxsize=4)
def provider_of(settings: Settings) -> Provider:
    """Keeps the provider's document and keys."""
    return Provider(settings)


def _groups(claim: object) -> frozenset[str]:
    """Some providers write a single group without a list."""
    if isinstance(claim, str):
        return frozenset({claim})
    return (
        frozenset(group for group in claim if isinstance(group, str))
        if isinstance(claim, list)
        else frozenset()
    )


def _bad_token(problem: str) -> BadTokenError:
    _log(problem)
    return BadTokenError("What the sign-in service says of you is not valid. Start again.")


def _log(problem: str) -> None:
    logging.getLogger(__name__).warning("sign-in service: %s", printable(problem))
