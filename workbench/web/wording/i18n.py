"""Translations: English by default, Chinese for readers who prefer it. Catalogues are read from their source.

Commands show messages and words by the same functions, and have a catalogue of their own (`workbench/commands/wording/`).

_("text")        translates now, into the language of the current session
N_("text")       only marks the text for the catalogue; `_` is called where the text is shown
"""

import gettext
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path

from babel.core import negotiate_locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = {"en": "English", "zh": "中文"}
TAGS = {"en": "en", "zh": "zh-CN"}
"""For the `lang` of a document."""
COOKIE = "language"
FOLDER = Path(__file__).with_name("locale")


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for it
    return text


@cache
def catalogue(language: str, domain: str = "workbench") -> gettext.NullTranslations:
    """The domain `commands` holds the texts of the command line, which the pages do not load."""
    if language != "zh":
        return gettext.NullTranslations()
    file = FOLDER / "zh_CN" / "LC_MESSAGES" / f"{domain}.po"
    compiled = BytesIO()
    with file.open("rb") as lines:
        write_mo(compiled, read_po(lines, locale="zh_CN"))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache(maxsize=1_000)
def choose_language(chosen: str | None, accepted: str | None) -> str:
    if chosen in LANGUAGES:
        return chosen
    wanted = [part.split(";")[0].strip() for part in (accepted or "").split(",")]
    language = negotiate_locale([tag for tag in wanted if tag], list(LANGUAGES), sep="-")
    return language.split("-")[0] if language else "en"


class _SessionLanguage(threading.local):
    """The session's language, kept for one script run: a page asks for it with each of its texts."""

    context: object = None
    language: str = ""


_session_language = _SessionLanguage()


class _ProcessLanguage:
    chosen: str | None = None


_process_language = _ProcessLanguage()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """For the process of a command, which has one reader and no sessions."""
    _process_language.chosen = language
    try:
        yield
    finally:
        _process_language.chosen = None


def current_language() -> str:
    return _process_language.chosen or _language_of_session()


def _language_of_session() -> str:
    import streamlit as st  # noqa: PLC0415 - commands, which have no sessions, show the same words without it
    from streamlit.runtime.scriptrunner import get_script_run_ctx  # noqa: PLC0415

    context = get_script_run_ctx(suppress_warning=True)
    if context is None or context is not _session_language.context:
        # The cookies and headers are those with which the page was loaded.
        _session_language.language = choose_language(
            st.context.cookies.get(COOKIE), st.context.headers.get("Accept-Language")
        )
        _session_language.context = context
    return _session_language.language


def _(text: str) -> str:
    return catalogue(current_language()).gettext(text)
