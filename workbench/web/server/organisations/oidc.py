"""The addresses of sign-in by an OpenID Connect provider.

Not by `st.login`: its cookie would be the identity, while here a session in the database is, which ends at once. What has
to last from one address to the other is in a signed cookie for ten minutes.
"""

import secrets
from dataclasses import astuple
from functools import lru_cache

from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from workbench.errors import InputError, NotAllowedError, WorkbenchError
from workbench.people import identities
from workbench.project import cookie_secret
from workbench.web.current_project import project
from workbench.web.identity import cookie_name, is_https, refuse_open_line, sender_of
from workbench.web.pages import page_of_ours
from workbench.web.server import entrance
from workbench.web.server.guard import OIDC, OIDC_CALLBACK
from workbench.web.server.organisations.provider import BadTokenError, Flow, Provider, provider_of
from workbench.web.server.plain_pages import language_of
from workbench.web.server.preferences import set_cookie
from workbench.web.wording.refusals import refusal_in

FLOW_SECONDS = 600


async def begin(request: Request) -> Response:
    next_page = page_of_ours(request.query_params.get("next"))
    try:
        refuse_open_line(request)
        address, flow = await _provider().begin(_callback_address(request))
    except WorkbenchError as error:
        return await _refused(request, error, next_page)
    response = RedirectResponse(address, 303)
    kept = _signer(cookie_secret(project())).dumps([*astuple(flow), next_page])
    set_cookie(request, response, _cookie_name(request), kept, FLOW_SECONDS)
    return response


async def finish(request: Request) -> Response:
    """The cookie is gone afterwards, whatever the outcome; the provider takes each code once."""
    try:
        refuse_open_line(request)
        flow, next_page = _kept(request)
        token = await _enter(request, flow)
    except WorkbenchError as error:
        response = await _refused(request, error, "/")
    else:
        response = await entrance.welcome(request, token, next_page)
    response.delete_cookie(_cookie_name(request), secure=is_https(request), httponly=True, samesite="lax")
    return response


ROUTES = [Route(OIDC, begin, methods=["GET"]), Route(OIDC_CALLBACK, finish, methods=["GET"])]


async def _enter(request: Request, flow: Flow) -> str:
    code = request.query_params.get("code")
    if not code:  # an error from the provider: the person pressed Cancel, or may not use this client
        raise NotAllowedError("The sign-in service refused. Start again.")
    visitor = sender_of(request)
    try:
        statement = await _provider().statement(flow, code, _callback_address(request))
    except BadTokenError:
        await run_in_threadpool(identities.record_bad_token, project(), "oidc", visitor)
        raise
    return await run_in_threadpool(identities.sign_in, project(), statement, "oidc", visitor)


def _kept(request: Request) -> tuple[Flow, str]:
    """The flow that this browser has begun, and where it leads. Raises NotAllowedError for any other."""
    cookie = request.cookies.get(_cookie_name(request), "")
    try:
        *parts, next_page = _signer(cookie_secret(project())).loads(cookie, max_age=FLOW_SECONDS)
    except BadSignature as error:
        raise _not_begun_here() from error
    flow = Flow(*parts)
    if not secrets.compare_digest(flow.state.encode(), request.query_params.get("state", "").encode()):
        raise _not_begun_here()
    return flow, page_of_ours(next_page)


def _not_begun_here() -> NotAllowedError:
    return NotAllowedError("This sign-in was not begun in this browser, or is too old. Start again.")


async def _refused(request: Request, error: WorkbenchError, next_page: str) -> Response:
    refusal = refusal_in(error, language_of(request))
    return await entrance.sign_in_page(request, next_page=next_page, refusal=refusal)


def _provider() -> Provider:
    settings = project().settings
    if settings.oidc_issuer is None:
        raise InputError("No sign-in service is set up here.")
    return provider_of(settings)


def _callback_address(request: Request) -> str:
    base = project().settings.public_url or str(request.base_url).rstrip("/")
    return base + OIDC_CALLBACK


def _cookie_name(request: Request) -> str:
    return cookie_name(project(), is_https=is_https(request)) + "-oidc"


@lru_cache(maxsize=4)
def _signer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt="oidc")
