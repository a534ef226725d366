"""Language and theme of a signed-in person: stored with the account, and in cookies that every page is drawn by."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from workbench.accounts import Account
from workbench.errors import InputError
from workbench.people.preferences import prefer, read_preferences
from workbench.web.current_project import project
from workbench.web.frame.theme import COOKIE as THEME_COOKIE
from workbench.web.identity import is_https, visitor_of
from workbench.web.pages import page_of_ours
from workbench.web.server.devices import YEAR
from workbench.web.wording.i18n import COOKIE as LANGUAGE_COOKIE


async def choose(request: Request) -> Response:
    async with request.form() as form:
        given = {name: value for name, value in form.items() if isinstance(value, str)}
    response = RedirectResponse(page_of_ours(given.get("next")), 303)
    language, theme = given.get("language"), given.get("theme")
    visitor = await run_in_threadpool(visitor_of, request)
    if visitor is None:
        return response
    try:
        await run_in_threadpool(prefer, project(), visitor.account, language=language, theme=theme)
    except InputError:
        return response
    _set_cookies(request, response, language, theme)
    return response


def bring_preferences(request: Request, response: Response, account: Account) -> None:
    """To a browser in which a session has just begun. What the person never chose stays as it is there."""
    chosen = read_preferences(project(), account)
    _set_cookies(request, response, chosen.language, chosen.theme)


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="lax", secure=is_https(request))


def _set_cookies(request: Request, response: Response, language: str | None, theme: str | None) -> None:
    for name, value in ((LANGUAGE_COOKIE, language), (THEME_COOKIE, theme)):
        if value is not None:
            set_cookie(request, response, name, value, YEAR)


ROUTES = [Route("/preferences", choose, methods=["POST"])]
