"""Pieces several screens share. Whatever people wrote goes in escaped, never as markdown."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.web.identity import current_account
from workbench.web.wording.i18n import LANGUAGES, _, current_language
from workbench.web.wording.refusals import said
from workbench.web.wording.words import ROLE_WORDS

STYLE = Path(__file__).with_name("style.css")


def require_account() -> Account:
    """The person this script runs for; ends the run where nobody is signed in any more."""
    account = current_account()
    if account is None:
        st.html(f'<p>{escape(_("You are signed out."))} <a href="/sign-in">{escape(_("Sign in"))}</a></p>')
        st.stop()
    return account


def bar(account: Account, page: str, left: str = "") -> None:
    """The line on top: figures of the page (HTML), then who is here, the language, the way out."""
    other = next(language for language in LANGUAGES if language != current_language())
    st.html(
        f'<div class="bar">{left}<span class="end">'
        f"<span>{escape(account.name)} · {escape(_(ROLE_WORDS[account.role]))}</span>"
        f'<a href="/language/{other}?next={page}">{LANGUAGES[other]}</a>'
        f'<form method="post" action="/sign-out"><button>{escape(_("Sign out"))}</button></form>'
        "</span></div>"
    )


def refusal(error: WorkbenchError) -> None:
    """One quiet line that says why something was not done."""
    note(said(error))


def note(text: str, *, is_done: bool = False) -> None:
    """One line of plain text that wants to be read."""
    st.html(f'<div class="refusal{" done" if is_done else ""}" role="status">{one_line(text)}</div>')


def one_line(text: str) -> str:
    """Escaped, on one line: Streamlit strips indentation from HTML of several lines."""
    return escape(text).replace("\n", "&#10;")


def shortened(text: str, most: int = 24) -> str:
    """The beginning of a text, on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def local(moment: datetime) -> datetime:
    """A moment on the reader's clock."""
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return moment.astimezone(UTC)
    return moment.astimezone(zone)


def clock(moment: datetime) -> str:
    """Day and minute on the reader's clock."""
    return f"{local(moment):%Y-%m-%d %H:%M}"


def seconds(duration: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def percent(share: float | None) -> str:
    """A share as whole percent, a dash where there is none."""
    return "–" if share is None else f"{share:.0%}"


def decimal(value: float | None) -> str:
    """Two decimals, a dash where there is no value."""
    return "–" if value is None else f"{value:.2f}"


def figures(values: Sequence[tuple[str, str]]) -> None:
    """A few large numbers on one line, each over its name."""
    cells = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in values)
    st.html(f'<div class="figures">{cells}</div>')


def heading(text: str) -> None:
    """The title of a part of a page."""
    st.html(f"<h2>{escape(text)}</h2>")


def attempt(action: Callable[[Account], object]) -> None:
    """Do what a person asked for, as whoever they are now; a refusal waits for `show_notice`."""
    account = current_account()
    if account is None:
        return
    try:
        action(account)
    except WorkbenchError as error:
        st.session_state["notice"] = said(error)


def show_notice() -> None:
    """The refusal of what was just tried, once."""
    if notice := st.session_state.pop("notice", None):
        note(notice)
