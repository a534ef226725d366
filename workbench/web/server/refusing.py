"""A refusal of a request: one sentence in the language of the reader."""

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import Scope

from workbench.web.wording.i18n import COOKIE, catalogue, choose_language


def language_of(connection: HTTPConnection) -> str:
    return choose_language(connection.cookies.get(COOKIE), connection.headers.get("accept-language"))


def refusal(scope: Scope, status: int, sentence: str) -> PlainTextResponse:
    """`sentence` is English, and translated."""
    language = language_of(HTTPConnection(scope))
    return PlainTextResponse(catalogue(language).gettext(sentence), status)
