"""English on the page by default, Chinese for whoever prefers it. Catalogues are read as they were written.

_("text")        translate now, in the language of whoever this script runs for
N_("text")       only mark for the catalogue; `_` is called where the text is shown
"""

import gettext
import threading
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path

import streamlit as st
from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from streamlit.runtime.scriptrunner import get_script_run_ctx

LANGUAGES = {"en": "English", "zh": "中文"}
COOKIE = "language"
FOLDER = Path(__file__).with_name("locale")


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    """Mark a text for the catalogue without translating it."""
    return text


@cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The translations of a language; English needs none."""
    if language != "zh":
        return gettext.NullTranslations()
    file = FOLDER / "zh_CN" / "LC_MESSAGES" / "workbench.po"
    compiled = BytesIO()
    with file.open("rb") as lines:
        write_mo(compiled, read_po(lines, locale="zh_CN"))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache(maxsize=1_000)
def choose_language(chosen: str | None, accepted: str | None) -> str:
    """What the person picked (their cookie), else the first language of `Accept-Language` we have."""
    if chosen in LANGUAGES:
        return chosen
    wanted = [part.split(";")[0].strip() for part in (accepted or "").split(",")]
    language = negotiate_locale([tag for tag in wanted if tag], list(LANGUAGES), sep="-")
    return language.split("-")[0] if language else "en"


class _SessionLanguage(threading.local):
    """The language of whoever the script of this thread runs for: a page asks for each of its texts."""

    context: object = None
    language: str = ""


_session_language = _SessionLanguage()


def current_language() -> str:
    """The language of the session this script runs for. Another one is chosen by loading the page anew."""
    context = get_script_run_ctx(suppress_warning=True)
    if context is None or context is not _session_language.context:
        _session_language.language = choose_language(
            st.context.cookies.get(COOKIE), st.context.headers.get("Accept-Language")
        )
        _session_language.context = context
    return _session_language.language


def _(text: str) -> str:
    """Translate for the session this script runs for."""
    return catalogue(current_language()).gettext(text)
