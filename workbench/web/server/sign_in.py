"""Signing in and out, on a page outside Streamlit, which cannot set cookies."""

import hmac
import math
from collections.abc import Callable
from pathlib import Path
from string import Template

from markupsafe import Markup, escape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from workbench import accounts
from workbench.accounts import ROLES, Account
from workbench.errors import NotAllowedError, WorkbenchError
from workbench.labelling import answers
from workbench.web.current_project import project
from workbench.web.identity import COOKIE_SECONDS, cookie_name, make_cookie, signed_in
from workbench.web.pages import PATHS
from workbench.web.server.guard import SIGN_IN, open_sockets
from workbench.web.server.refusing import language_of
from workbench.web.server.throttle import Throttle
from workbench.web.wording.i18n import COOKIE as LANGUAGE_COOKIE
from workbench.web.wording.i18n import LANGUAGES, catalogue
from workbench.web.wording.refusals import refusal_in
from workbench.web.wording.words import ROLE_WORDS

PAGE = Template(Path(__file__).with_name("sign_in.html").read_text(encoding="utf-8"))
YEAR = 365 * 24 * 3600

throttle = Throttle()


async def show_sign_in(request: Request) -> Response:
    return _page(request, next_page=_next_page(request.query_params.get("next")))


async def sign_in(request: Request) -> Response:
    async with request.form() as form:
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
    name, role, next_page = fields.get("name", ""), fields.get("role", ""), _next_page(fields.get("next"))
    try:
        account = await _enter(request, name, role, fields.get("passphrase", ""))
    except WorkbenchError as error:
        refusal = refusal_in(error, language_of(request))
        return _page(request, name=name, role=role, next_page=next_page, refusal=refusal)
    response = RedirectResponse(next_page, 303)
    _set_cookie(request, response, cookie_name(project()), make_cookie(project(), account), COOKIE_SECONDS)
    return response


async def sign_out(request: Request) -> Response:
    visitor = await run_in_threadpool(signed_in, project(), request.cookies)
    if visitor is not None:
        await run_in_threadpool(accounts.sign_out, project(), visitor.account, visitor.token)
        await run_in_threadpool(answers.release, project(), visitor.account)
        open_sockets.end(visitor.token)
    response = RedirectResponse(SIGN_IN, 303)
    response.delete_cookie(cookie_name(project()))
    return response


async def set_language(request: Request) -> Response:
    response = RedirectResponse(_next_page(request.query_params.get("next"), SIGN_IN), 303)
    language = request.path_params["language"]
    if language in LANGUAGES:
        _set_cookie(request, response, LANGUAGE_COOKIE, language, YEAR)
    return response


ROUTES = [
    Route(SIGN_IN, show_sign_in, methods=["GET"]),
    Route(SIGN_IN, sign_in, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
    Route("/language/{language}", set_language, methods=["GET"]),
]


async def _enter(request: Request, name: str, role: str, passphrase: str) -> Account:
    """Raises NotAllowedError without the passphrase, too often or for a disabled person; all but the second are recorded."""
    _refuse_too_many_tries(name)
    try:
        _refuse_wrong_passphrase(passphrase)
        return await run_in_threadpool(accounts.sign_in, project(), name, role)
    except NotAllowedError:
        throttle.count_wrong(
            name
        )  # before anything is awaited: tries at the same time are counted one by one
        client = request.client.host if request.client else ""
        await run_in_threadpool(accounts.record_refused_sign_in, project(), name, client)
        raise


def _refuse_too_many_tries(name: str) -> None:
    if wait := throttle.seconds_to_wait(name):
        seconds = math.ceil(wait)
        raise NotAllowedError("Too many wrong passphrases. Try again in {seconds} seconds.", seconds=seconds)


def _refuse_wrong_passphrase(given: str) -> None:
    passphrase = project().settings.passphrase
    if passphrase is None:
        return
    if not hmac.compare_digest(given.encode(), passphrase.get_secret_value().encode()):
        raise NotAllowedError("That is not the passphrase. Ask the person who runs the workbench.")


def _page(
    request: Request, *, name: str = "", role: str = "", next_page: str = "/", refusal: str = ""
) -> Response:
    language = language_of(request)
    _ = catalogue(language).gettext
    other = next(other for other in LANGUAGES if other != language)
    values = {
        "language": "zh-CN" if language == "zh" else "en",
        "title": _("Moderation workbench"),
        "name_label": _("Name"),
        "name": name,
        "role_label": _("Role"),
        "passphrase_label": _("Passphrase"),
        "button": _("Sign in"),
        "next": next_page,
        "refusal": refusal,
        "other": other,
        "other_name": LANGUAGES[other],
        "roles": _role_options(_, role or ROLES[0]),
        "needs_passphrase": "" if project().settings.passphrase else "hidden disabled",
        "has_refusal": "" if refusal else "hidden",
    }
    page = PAGE.substitute({name: escape(value) for name, value in values.items()})
    return HTMLResponse(page, 403 if refusal else 200, headers={"Cache-Control": "no-store"})


def _role_options(_: Callable[[str], str], chosen: str) -> Markup:
    option = Markup('<label><input type="radio" name="role" value="{}"{}>{}</label>')
    return Markup("").join(
        option.format(role, " checked" if role == chosen else "", _(ROLE_WORDS[role])) for role in ROLES
    )


def _next_page(wanted: str | None, otherwise: str = "/") -> str:
    """Only pages of the app: any other address would be an open redirect."""
    return wanted if wanted in PATHS else otherwise


def _set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    is_https = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=is_https)
