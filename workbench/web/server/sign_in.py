"""Signing in and out, on a page outside Streamlit, which cannot set cookies."""

import hmac
import math
from collections.abc import Callable
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from markupsafe import Markup, escape
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from workbench import accounts
from workbench.accounts import ROLES
from workbench.errors import NotAllowedError, WorkbenchError
from workbench.labelling import answers
from workbench.web.current_project import project
from workbench.web.identity import COOKIE, COOKIE_SECONDS, make_cookie, signed_in
from workbench.web.pages import PATHS
from workbench.web.server.guard import SIGN_IN
from workbench.web.server.throttle import Throttle
from workbench.web.wording.i18n import COOKIE as LANGUAGE_COOKIE
from workbench.web.wording.i18n import LANGUAGES, catalogue, choose_language
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
        if not _is_own_form(request):
            raise NotAllowedError("That form came from another site. Open this page again and repeat.")
        _refuse_wrong_passphrase(request, fields.get("passphrase", ""))
        account = await run_in_threadpool(accounts.sign_in, project(), name, role)
    except WorkbenchError as error:
        refusal = refusal_in(error, _language(request))
        return _page(request, name=name, role=role, next_page=next_page, refusal=refusal)
    response = RedirectResponse(next_page, 303)
    _set_cookie(request, response, COOKIE, make_cookie(project(), account), COOKIE_SECONDS)
    return response


async def sign_out(request: Request) -> Response:
    if not _is_own_form(request):
        return PlainTextResponse("That form came from another site.", 403)
    visitor = await run_in_threadpool(signed_in, project(), request.cookies)
    if visitor is not None:
        await run_in_threadpool(accounts.sign_out, project(), visitor.account, visitor.token)
        await run_in_threadpool(answers.release, project(), visitor.account)
    response = RedirectResponse(SIGN_IN, 303)
    response.delete_cookie(COOKIE)
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


def _is_own_form(request: Request) -> bool:
    """Against cross-site requests: a form of another site must not sign a person in or out."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == request.headers.get("host")


def _refuse_wrong_passphrase(request: Request, given: str) -> None:
    passphrase = project().settings.passphrase
    if passphrase is None:
        return
    address = request.client.host if request.client else ""
    if wait := throttle.seconds_to_wait(address):
        seconds = math.ceil(wait)
        raise NotAllowedError("Too many wrong passphrases. Try again in {seconds} seconds.", seconds=seconds)
    if not hmac.compare_digest(given.encode(), passphrase.get_secret_value().encode()):
        throttle.count_wrong(address)
        raise NotAllowedError("That is not the passphrase. Ask the person who runs the workbench.")


def _page(
    request: Request, *, name: str = "", role: str = "", next_page: str = "/", refusal: str = ""
) -> Response:
    language = _language(request)
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


def _language(request: Request) -> str:
    return choose_language(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


def _next_page(wanted: str | None, otherwise: str = "/") -> str:
    """Only pages of the app: any other address would be an open redirect."""
    return wanted if wanted in PATHS else otherwise


def _set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    is_https = request.url.scheme == "https"
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=is_https)
