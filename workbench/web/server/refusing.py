"""A refusal of a request: one sentence in the language of the reader, on a page where a browser asks for one."""

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import Scope

from workbench.web.server.plain_pages import is_page_wanted, language_of, refusal_page
from workbench.web.wording.i18n import catalogue


def refusal(scope: Scope, status: int, sentence: str) -> Response:
    """`sentence` is English, and translated."""
    language = language_of(HTTPConnection(scope))
    return told(scope, status, catalogue(language).gettext(sentence))


def told(scope: Scope, status: int, sentence: str) -> Response:
    """`sentence` is in the language of the reader."""
    connection = HTTPConnection(scope)
    if scope["method"] == "GET" and is_page_wanted(connection):
        return refusal_page(connection, sentence, status)
    return PlainTextResponse(sentence, status)
