"""The pages outside Streamlit, which cannot set cookies: signing in, joining by a link, the language."""

import math
import re
from collections.abc import Callable, Sequence
from urllib.parse import quote

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from workbench import addresses
from workbench.errors import NotAllowedError, WorkbenchError
from workbench.labelling import answers
from workbench.names import LONGEST_NAME, name_key
from workbench.people import entering, invitations, members, sessions
from workbench.people.invitations import Offer
from workbench.people.members import Member
from workbench.people.passwords import LONGEST, SHORTEST
from workbench.web.current_project import project
from workbench.web.identity import (
    cookie_name,
    is_https,
    refuse_open_line,
    sender_of,
    set_session_cookie,
    visitor_of,
)
from workbench.web.pages import home_of, page_of_ours
from workbench.web.server.devices import YEAR, device_cookie_name, device_of, new_device
from workbench.web.server.guard import JOIN, OIDC, SIGN_IN, open_sockets
from workbench.web.server.organisations.trusted_header import STATEMENT
from workbench.web.server.plain_pages import language_of, plain_page
from workbench.web.server.preferences import bring_preferences, set_cookie
from workbench.web.server.throttle import Throttle
from workbench.web.wording.i18n import COOKIE as LANGUAGE_COOKIE
from workbench.web.wording.i18n import LANGUAGES, N_, catalogue
from workbench.web.wording.refusals import refusal_in
from workbench.web.wording.words import ROLE_WORDS

DEMO_NOTE = N_("This is the demo: choose who you are. In a project of your own, everybody has a password.")
NOBODY_YET = N_(
    "Nobody can sign in yet. On the machine that runs the workbench: workbench users add NAME --role lead"
)

SESSION_ENDED = N_("Your session has ended. Sign in again.")
SIGN_OUT_THERE = N_(
    "You are signed out here. Your organisation's proxy signs you in again with the next page: sign out there too."
)
BY_THE_PROXY = N_("Here people come in through their organisation's proxy.")

_LINK = re.compile(re.escape(JOIN) + "[A-Za-z0-9_-]+")

throttle = Throttle()

Translate = Callable[[str], str]


async def show_sign_in(request: Request) -> Response:
    given = request.query_params
    next_page = page_of_ours(given.get("next"))
    if request.scope.get(STATEMENT) is not None:
        return RedirectResponse(next_page, 303)  # where the guard begins a session
    try:
        refuse_open_line(request)
    except WorkbenchError as error:
        return _no_form(request, error, 403)
    return await sign_in_page(request, next_page=next_page, has_ended="ended" in given)


async def sign_in(request: Request) -> Response:
    fields = await _fields(request)
    next_page = page_of_ours(fields.get("next"))
    try:
        refuse_open_line(request)
        if "person" in fields:
            token = await _enter_demo(request, fields["person"])
            return await welcome(request, token, next_page)
        name, token = await _enter(request, fields.get("name", ""), fields.get("password", ""))
    except WorkbenchError as error:
        refusal = refusal_in(error, language_of(request))
        return await sign_in_page(request, name=fields.get("name", ""), next_page=next_page, refusal=refusal)
    return await welcome(request, token, next_page, name)


async def show_join(request: Request) -> Response:
    try:
        refuse_open_line(request)
        offer = await run_in_threadpool(invitations.offer_of, project(), request.path_params["secret"])
    except WorkbenchError as error:
        return _no_form(request, error, 404)
    return _join_page(request, offer)


async def join(request: Request) -> Response:
    secret, fields = request.path_params["secret"], await _fields(request)
    try:
        offer = await run_in_threadpool(invitations.offer_of, project(), secret)
    except WorkbenchError as error:
        return _no_form(request, error, 404)
    name, password, visitor = fields.get("name", ""), fields.get("password", ""), sender_of(request)
    try:
        refuse_open_line(request)
        if offer.name is None:
            token = await run_in_threadpool(invitations.join, project(), secret, name, password, visitor)
        else:
            name = offer.name
            token = await run_in_threadpool(invitations.choose_password, project(), secret, password, visitor)
    except WorkbenchError as error:
        return _join_page(request, offer, name=name, refusal=refusal_in(error, language_of(request)))
    return await welcome(request, token, "/", name)


async def sign_out(request: Request) -> Response:
    visitor = await run_in_threadpool(visitor_of, request)
    if visitor is not None:
        await run_in_threadpool(sessions.sign_out, project(), visitor)
        await run_in_threadpool(answers.release, project(), visitor.account)
        open_sockets.end(visitor.session_id)
    if request.scope.get(STATEMENT) is None:
        response: Response = RedirectResponse(SIGN_IN, 303)
    else:
        note = catalogue(language_of(request)).gettext(SIGN_OUT_THERE)
        response = _page(request, Markup(""), note=note)
    https = is_https(request)
    response.delete_cookie(
        cookie_name(project(), is_https=https), secure=https, httponly=True, samesite="lax"
    )
    return response


async def set_language(request: Request) -> Response:
    wanted = request.query_params.get("next") or ""
    page = wanted if _LINK.fullmatch(wanted) else page_of_ours(wanted, SIGN_IN)
    response = RedirectResponse(page, 303)
    language = request.path_params["language"]
    if language in LANGUAGES:
        set_cookie(request, response, LANGUAGE_COOKIE, language, YEAR)
    return response


ROUTES = [
    Route(SIGN_IN, show_sign_in, methods=["GET"]),
    Route(SIGN_IN, sign_in, methods=["POST"]),
    Route(JOIN + "{secret}", show_join, methods=["GET"]),
    Route(JOIN + "{secret}", join, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
    Route("/language/{language}", set_language, methods=["GET"]),
]


async def _fields(request: Request) -> dict[str, str]:
    async with request.form() as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}


async def _enter(request: Request, name: str, password: str) -> tuple[str, str]:
    """The person's own name and a token. Raises NotAllowedError for a wrong password, and after too many of them."""
    key = name_key(name)
    device = device_of(request, key)
    if wait := throttle.take(key, device):
        if refused := throttle.count_refused():
            await run_in_threadpool(entering.record_slowed, project(), refused, sender_of(request))
        raise NotAllowedError(
            "Too many wrong passwords. Try again in {seconds} seconds.", seconds=math.ceil(wait)
        )
    account, token = await run_in_threadpool(entering.sign_in, project(), name, password, sender_of(request))
    throttle.give_back(key, device)
    return account.name, token


async def _enter_demo(request: Request, person: str) -> str:
    if not _is_demo(request) or not person.isdecimal():
        raise NotAllowedError("That person is not in the demo.")
    return await run_in_threadpool(entering.sign_in_as_demo, project(), int(person[:9]), sender_of(request))


def _is_demo(request: Request) -> bool:
    """Only on this machine itself, and not behind a proxy, through which others come."""
    is_here = addresses.is_loopback(request.url.hostname or "")
    return is_here and project().settings.public_url is None and project().demo_mark.exists()


async def welcome(request: Request, token: str, next_page: str, name: str | None = None) -> Response:
    visitor = await run_in_threadpool(sessions.find, project(), token)
    if visitor is None:  # the person was disabled just now
        return RedirectResponse(SIGN_IN, 303)
    response = RedirectResponse(home_of(visitor.account) if next_page == "/" else next_page, 303)
    set_session_cookie(request, response, token)
    await run_in_threadpool(bring_preferences, request, response, visitor.account)
    key = "" if name is None else name_key(name)
    if key and device_of(request, key) is None:  # another number would have tries of its own
        set_cookie(request, response, device_cookie_name(request), new_device(key), YEAR)
    return response


async def sign_in_page(
    request: Request, *, name: str = "", next_page: str = "/", refusal: str = "", has_ended: bool = False
) -> Response:
    _ = catalogue(language_of(request)).gettext
    if _is_demo(request):
        people = await run_in_threadpool(members.demo_people, project())
        return _page(request, _demo_form(_, people, next_page), note=_(DEMO_NOTE), refusal=refusal)
    settings = project().settings
    note = _(SESSION_ENDED) if has_ended else ""
    if not (settings.oidc_issuer or settings.password_sign_in):
        note = _(BY_THE_PROXY)
    elif not settings.oidc_issuer and not await run_in_threadpool(members.can_sign_in, project()):
        note = _(NOBODY_YET)
    ways = [
        _oidc_link(_, next_page) if settings.oidc_issuer else Markup(""),
        _sign_in_form(_, name, next_page) if settings.password_sign_in else Markup(""),
    ]
    return _page(request, Markup("").join(ways), note=note, refusal=refusal)


def _join_page(request: Request, offer: Offer, *, name: str = "", refusal: str = "") -> Response:
    _ = catalogue(language_of(request)).gettext
    if offer.name is None:
        note = _("You are invited as {role}. Choose a name and a password.").format(
            role=_(ROLE_WORDS[offer.role or ""])
        )
    else:
        note = _("Choose a new password, {name}.").format(name=offer.name)
    return _page(request, _join_form(_, offer, name), note=note, refusal=refusal)


def _no_form(request: Request, error: WorkbenchError, status: int) -> Response:
    return _page(request, Markup(""), refusal=refusal_in(error, language_of(request)), status=status)


def _sign_in_form(_: Translate, name: str, next_page: str) -> Markup:
    return _form(
        Markup('<input type="hidden" name="next" value="{}">').format(next_page),
        _name_field(_, name),
        Markup(
            '<label class="field">{}<input type="password" name="password" maxlength="{}" required'
            ' autocomplete="current-password"></label>'
        ).format(_("Password"), LONGEST),
        _button(_("Sign in")),
        action=SIGN_IN,
    )


def _oidc_link(_: Translate, next_page: str) -> Markup:
    """Not a form: the policy lets none lead to another site."""
    return Markup('<a class="button" href="{}?next={}">{}</a>').format(
        OIDC, quote(next_page), _("Sign in with your organisation")
    )


def _demo_form(_: Translate, people: Sequence[Member], next_page: str) -> Markup:
    button = Markup('<button class="person" name="person" value="{}">{} <small>{}</small></button>')
    buttons = (button.format(person.id, person.name, _(ROLE_WORDS[person.role])) for person in people)
    return _form(
        Markup('<input type="hidden" name="next" value="{}">').format(next_page), *buttons, action=SIGN_IN
    )


def _join_form(_: Translate, offer: Offer, name: str) -> Markup:
    return _form(
        _name_field(_, name) if offer.name is None else Markup(""),
        Markup(
            '<label class="field">{}<input type="password" name="password" minlength="{}" maxlength="{}" required'
            ' autocomplete="new-password"></label>'
        ).format(_("Password, at least {least} characters").format(least=SHORTEST), SHORTEST, LONGEST),
        _button(_("Join") if offer.name is None else _("Save and sign in")),
        action="",  # the address of the page
    )


def _name_field(_: Translate, name: str) -> Markup:
    return Markup(
        '<label class="field">{}<input name="name" value="{}" maxlength="{}" required autofocus'
        ' autocomplete="username"></label>'
    ).format(_("Name"), name, LONGEST_NAME)


def _button(text: str) -> Markup:
    return Markup("<button>{}</button>").format(text)


def _form(*parts: Markup, action: str) -> Markup:
    return Markup('<form method="post"{}>{}</form>').format(
        Markup(' action="{}"').format(action) if action else Markup(""), Markup("").join(parts)
    )


def _page(
    request: Request, form: Markup, *, note: str = "", refusal: str = "", status: int | None = None
) -> Response:
    status = status or (403 if refusal else 200)
    return plain_page(request, form, here=request.url.path, note=note, refusal=refusal, status=status)
