"""A small OpenID Connect provider on a free port of this machine, whose answers a test can falsify."""

import base64
import hashlib
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, OctKey, RSAKey
from joserfc.jws import JWSRegistry
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tests.workbench.working import wait_until

CLIENT_ID, CLIENT_SECRET = "workbench", "a secret of the client"
MINUTE = 60


@cache
def _first_key() -> Key:
    """Made once: it takes a tenth of a second."""
    return RSAKey.generate_key(2048, {"kid": "one"})


@dataclass
class SignInService:
    """`claims` replace those of the next tokens, None removes one; the other fields falsify as they say."""

    address: str
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "u-1", "name": "Wei", "groups": ["mods"]})
    published: Key = field(default_factory=_first_key)
    key: Key | None = None
    header: dict[str, Any] = field(default_factory=lambda: {"alg": "RS256", "kid": "one"})
    forge: Callable[[str], str] = str
    discovery: dict[str, Any] = field(default_factory=dict)
    is_down: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    """The queries of `/authorize`."""

    def forget(self) -> None:
        """What one test falsified is not there for the next."""
        vars(self).update(vars(SignInService(self.address)))

    def settings(self) -> dict[str, Any]:
        return {
            "oidc_issuer": self.address,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": CLIENT_SECRET,
            "group_roles": {"mods": "reviewer", "chiefs": "lead", "everybody": "annotator"},
        }

    def app(self) -> Starlette:
        paths = {
            "/.well-known/openid-configuration": self._discovery,
            "/authorize": self._authorize,
            "/jwks": self._jwks,
        }
        routes = [Route(path, answer) for path, answer in paths.items()]
        return Starlette(routes=[*routes, Route("/token", self._token, methods=["POST"])])

    async def _discovery(self, _request: Request) -> Response:
        if self.is_down:
            return Response("<html>", 503)
        return JSONResponse(
            {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/jwks",
                # As careless as a provider may be.
                "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256", "HS256", "none"],
            }
            | self.discovery
        )

    async def _authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        self.asked.append(query)
        code = secrets.token_urlsafe(8)
        self.codes[code] = query
        back = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        return HTMLResponse(Markup('<a href="{}">Continue</a>').format(back), headers={"x-back": back})

    async def _token(self, request: Request) -> Response:
        if self.is_down:
            return Response("<html>", 503)
        async with request.form() as form:
            begun = self.codes.pop(str(form["code"]), None)
            if begun is None or not _is_asked_for(begun, form, request):
                return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(
            {"access_token": "opaque", "token_type": "Bearer", "id_token": self.token(begun["nonce"])}
        )

    def token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT_ID, "iat": now, "exp": now + MINUTE, "nonce": nonce}
        kept = {name: value for name, value in (claims | self.claims).items() if value is not None}
        signed = JWSRegistry(
            algorithms=["RS256", "ES256", "HS256", "none", "PS256"], strict_check_header=False
        )
        return self.forge(jwt.encode(self.header, kept, self.key or self.published, registry=signed))

    async def _jwks(self, _request: Request) -> Response:
        return JSONResponse(KeySet([self.published]).as_dict(private=False))


def _is_asked_for(begun: dict[str, str], form: Any, request: Request) -> bool:
    digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    client = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
    return (
        (begun["code_challenge_method"], begun["code_challenge"]) == ("S256", challenge)
        and begun["redirect_uri"] == form["redirect_uri"]
        and request.headers["authorization"] == f"Basic {client}"
    )


def other_key(kind: str) -> Key:
    """A key that the provider does not publish."""
    match kind:
        case "RSA":
            return RSAKey.generate_key(2048, {"kid": "one"})
        case "EC":
            return ECKey.generate_key("P-256", {"kid": "one"})
    return OctKey.generate_key(256, {"kid": "one"})


@contextmanager
def served() -> Iterator[SignInService]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        service = SignInService(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(service.app(), ws="none", log_level="warning"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started, "the sign-in service")
            yield service
        finally:
            server.should_exit = True
            thread.join()
