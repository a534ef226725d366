"""Rows of terms: their rates now and before, week by week, and one example."""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account, Right
from workbench.overview.radar import Period
from workbench.overview.watch_list import dismiss_term, key_of, watch_term
from workbench.project import Project
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import attempt, note
from workbench.web.wording.i18n import _

Decide = Callable[[Project, Account, str], None]


@dataclass(frozen=True)
class Row:
    """`count` of the period's posts hold the term, `before` of those before; None if it was not counted yet."""

    term: str
    count: int | None
    before: int
    rates: Sequence[float]
    examples: Sequence[str]
    how: Markup = NOTHING


def show(account: Account, period: Period, place: str, rows: Sequence[Row], watched: Collection[str]) -> None:
    """`place` is the list on the page: a term may stand in several."""
    if not rows:
        note(_("Nothing stands out."), is_done=True)
        return
    with table(place):
        for number, row in enumerate(rows):
            is_watched = key_of(row.term) in watched
            actions: list[tuple[str, Decide]] = [(_("Dismiss"), dismiss_term)]
            if not is_watched:
                actions.insert(0, (_("Watch"), watch_term))
            mark = _("watched") if is_watched else ""
            show_row(account, period, f"{place}-{number}", row, actions, mark=mark)


@contextmanager
def table(place: str) -> Iterator[None]:
    """Rows below their headings."""
    with st.container(key=f"terms-{place}", gap=None):
        words = (_("term"), _("now"), _("before"), _("week by week"), _("for example"))
        cells = NOTHING.join(Markup("<span>{}</span>").format(word) for word in words)
        html(Markup('<div class="term head" aria-hidden="true">{}</div>').format(cells))
        yield


def show_row(
    account: Account,
    period: Period,
    place: str,
    row: Row,
    actions: Sequence[tuple[str, Decide]],
    *,
    mark: str = "",
) -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", gap="small", key=f"term-row-{place}-{row.term}"
    ):
        html(_cells(period, row, mark))
        if account.may(Right.SET_WATCH_LIST):
            for text, decide in actions:
                st.button(
                    text,
                    key=f"{decide.__name__}-{place}-{row.term}",
                    type="tertiary",
                    on_click=attempt,
                    args=(partial(_decide, decide=decide, term=row.term),),
                )


def _decide(account: Account, decide: Decide, term: str) -> None:
    decide(project(), account, term)


def _cells(period: Period, row: Row, mark: str) -> Markup:
    small = Markup("<small>{}</small>").format(row.how or mark) if row.how or mark else NOTHING
    name = Markup('<div class="name"><b>{}</b>{}</div>').format(post_html(row.term), small)
    if row.count is None:
        later = Markup('<div class="later">{}</div>').format(_("counted with the next import"))
        return Markup('<div class="term">{}{}</div>').format(name, later)
    rate = Markup('<div class="rate"><small>{}</small> {}</div>')
    return Markup('<div class="term">{}{}{}{}{}</div>').format(
        name,
        rate.format(_("now"), per_thousand(row.count, period.posts)),
        rate.format(_("before"), per_thousand(row.before, period.posts_before)),
        _sparkline(row.rates),
        _example(row),
    )


def per_thousand(count: int, posts: int) -> str:
    if not posts:
        return "–"
    rate = 1000 * count / posts
    return f"{rate:.0f}" if rate >= 10 else f"{rate:.1f}"


def _sparkline(rates: Sequence[float]) -> Markup:
    """A bar a week, the last one for now."""
    top = max(rates, default=0) or 1
    bars = NOTHING.join(Markup('<i style="height:{:.0f}%"></i>').format(100 * rate / top) for rate in rates)
    told = _("Week by week, of 1,000 posts: {rates}").format(
        rates=", ".join(f"{1000 * rate:.1f}" for rate in rates)
    )
    return Markup('<div class="spark" role="img" aria-label="{}" title="{}">{}</div>').format(
        told, told, bars
    )


def _example(row: Row) -> Markup:
    if not row.examples:
        return Markup("<div></div>")
    text = " ".join(row.examples[0].split())
    match = re.search(re.escape(row.term), text, re.IGNORECASE)
    if match is None:
        shown = post_html(text)
    else:
        shown = Markup("{}<b>{}</b>{}").format(
            post_html(text[: match.start()]), post_html(match[0]), post_html(text[match.end() :])
        )
    return Markup('<p dir="auto" lang="zh">{}</p>').format(shown)
