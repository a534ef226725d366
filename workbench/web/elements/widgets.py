"""Page elements of several screens."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st
from markupsafe import Markup

from trainer.statistics.proportions import Share
from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.web.elements.markup import NOTHING, QUIET, each, html
from workbench.web.identity import current_account
from workbench.web.wording.i18n import _
from workbench.web.wording.refusals import refusal_text


def require_account() -> Account:
    account = current_account()
    if account is None:
        out = Markup('<p>{} <a href="/sign-in">{}</a></p>')
        html(out.format(_("You are signed out."), _("Sign in")))
        st.stop()
    return account


def refusal(error: WorkbenchError) -> None:
    note(refusal_text(error))


def note(text: str, *, is_done: bool = False) -> None:
    line = Markup('<div class="refusal{}" role="status">{}</div>')
    html(line.format(" done" if is_done else "", text))


def quiet(*lines: str) -> None:
    if lines:
        html(each(QUIET, lines))


def shortened(text: str, most: int = 24) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def local(moment: datetime) -> datetime:
    """In the reader's time zone; in UTC if the browser names none."""
    try:
        zone = ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return moment.astimezone(UTC)
    return moment.astimezone(zone)


def clock(moment: datetime) -> str:
    return f"{local(moment):%Y-%m-%d %H:%M}"


def seconds(duration: float) -> str:
    minutes, rest = divmod(round(duration), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def share_cell(share: Share | None, *, fewest: int = 0) -> str:
    """A share; in small print its 95% interval and the number of posts. Without a share if there are too few."""
    if share is None:
        return "–"
    if share.rows < fewest:
        return Markup("<small>{}</small>").format(_("too few: {count}").format(count=share.rows))
    low, high = share.interval
    small = f"{low:.0%}–{high:.0%} · {share.rows:,}"
    return Markup('{} <small class="whole">{}</small>').format(percent(share.mean), small)


def decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def figures(values: Sequence[tuple[str, str]]) -> None:
    cells = NOTHING.join(
        Markup("<div><b>{}</b><span>{}</span></div>").format(value, name) for name, value in values
    )
    html(Markup('<div class="figures">{}</div>').format(cells))


def headline(values: Sequence[tuple[str, str, str]]) -> None:
    """Large figures side by side: name, value and small print of each."""
    cell = Markup("<div><span>{}</span><b>{}</b><small>{}</small></div>")
    html(Markup('<div class="headline">{}</div>').format(NOTHING.join(cell.format(*one) for one in values)))


def heading(text: str) -> None:
    html(Markup("<h2>{}</h2>").format(text))


def pager(name: str, after: int | None, cursors: list[int | None]) -> None:
    """Buttons for newer and older rows. `cursors` holds where each page so far began; `after` is where the next one begins."""
    if len(cursors) == 1 and after is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        # The page number is part of the key, so that a late press does not turn another page.
        if st.button(_("Newer"), key=f"{name}newer-{len(cursors)}", disabled=len(cursors) == 1):
            cursors.pop()
            st.rerun()
        if st.button(_("Older"), key=f"{name}older-{len(cursors)}", disabled=after is None):
            cursors.append(after)
            st.rerun()
        html(Markup('<span class="quiet">{}</span>').format(_("Page {number}").format(number=len(cursors))))


def attempt(action: Callable[[Account], object]) -> None:
    """Run an action for the account as it is now; a refusal waits for `show_notice`."""
    account = current_account()
    if account is None:
        return
    try:
        action(account)
    except WorkbenchError as error:
        st.session_state["notice"] = refusal_text(error)


def show_notice() -> None:
    if notice := st.session_state.pop("notice", None):
        note(notice)
