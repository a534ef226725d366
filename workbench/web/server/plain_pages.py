"""Pages outside Streamlit, in the dress of the app: signing in, joining, refusals, an address that is none."""

from functools import cache
from pathlib import Path
from string import Template

from markupsafe import Markup, escape
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from workbench.web.frame.theme import COOKIE as THEME_COOKIE
from workbench.web.frame.theme import choose_theme
from workbench.web.wording.i18n import COOKIE, LANGUAGES, N_, TAGS, catalogue, choose_language

SENTENCE = N_("Moderators label forum posts here, and a model learns from their labels.")
TO_THE_START = N_("To the start page")


@cache
def template() -> Template:
    """With the tokens of the app, inlined: without a session no style sheet is served."""
    page = Path(__file__).with_name("plain_page.html").read_text(encoding="utf-8")
    tokens = (Path(__file__).parents[1] / "styles" / "tokens.css").read_text(encoding="utf-8")
    return Template(page.replace("$tokens", tokens))


def language_of(connection: HTTPConnection) -> str:
    return choose_language(connection.cookies.get(COOKIE), connection.headers.get("accept-language"))


def plain_page(
    connection: HTTPConnection,
    content: Markup,
    *,
    here: str = "/",
    note: str = "",
    refusal: str = "",
    status: int = 200,
) -> HTMLResponse:
    """`here` is the address to which a choice of the language leads back."""
    language = language_of(connection)
    _ = catalogue(language).gettext
    other = next(other for other in LANGUAGES if other != language)
    values = {
        "language": TAGS[language],
        "theme": choose_theme(connection.cookies.get(THEME_COOKIE)),
        "title": _("Moderation workbench"),
        "sentence": _(SENTENCE),
        "content": content,
        "note": note,
        "has_note": "" if note else Markup("hidden"),
        "refusal": refusal,
        "has_refusal": "" if refusal else Markup("hidden"),
        "other": other,
        "other_tag": TAGS[other],
        "here": here,
        "other_name": LANGUAGES[other],
    }
    page = template().substitute({name: escape(value) for name, value in values.items()})
    return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})


def refusal_page(connection: HTTPConnection, sentence: str, status: int) -> HTMLResponse:
    """`sentence` is in the language of the reader."""
    start = catalogue(language_of(connection)).gettext(TO_THE_START)
    link = Markup('<a class="button" href="/">{}</a>').format(start)
    return plain_page(connection, link, refusal=sentence, status=status)


def is_page_wanted(connection: HTTPConnection) -> bool:
    """Whether a person will look at the answer: a browser asks for a page."""
    return "text/html" in connection.headers.get("accept", "")
