"""Radar, for leads: what is new in the newest import and its week."""

from collections.abc import Sequence
from datetime import datetime

import streamlit as st
from markupsafe import Markup, escape

from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.overview.radar import Disguise, Period, Rising, read_radar
from workbench.overview.watch_list import DecidedTerm, decided_terms
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import (
    clock,
    heading,
    note,
    quiet,
    refusal,
    require_account,
    show_notice,
)
from workbench.web.frame.title import title
from workbench.web.views.radar import drift, lists, terms
from workbench.web.views.radar.terms import Row
from workbench.web.wording.i18n import N_, _

HOW_WORDS = {"sound": N_("sounds alike"), "letters": N_("in letters"), "look": N_("looks alike or cut apart")}


def show() -> None:
    account = require_account()
    try:
        radar, decided = read_radar(project(), account), decided_terms(project(), account)
    except WorkbenchError as error:
        title(_("Radar"))
        refusal(error)
        return
    if radar is None or not radar.periods:
        title(_("Radar"))
        note(_("Nothing to tell yet: the worker looks for what is new after each import."), is_done=True)
        return
    looked = _("Looked at {when}").format(when=clock(datetime.fromisoformat(radar.made_at)))
    title(_("Radar"), Markup("<span>{}</span>").format(looked))
    show_notice()
    period = _chosen(radar.periods)
    text = _("{now} posts looked at, beside {before} imported before: {name}")
    quiet(
        text.format(now=f"{period.posts:,}", before=f"{period.posts_before:,}", name=period.name),
        _("Figures are of 1,000 posts."),
    )
    lists.watched(account, period, decided)
    _rising(account, period, decided)
    _disguises(account, period, decided, radar.known)
    drift.show(period.drifts)
    lists.dismissed(account, decided)


def _chosen(periods: Sequence[Period]) -> Period:
    kinds = {period.kind: period for period in periods}
    kind = st.segmented_control(
        _("Period"),
        list(kinds),
        format_func=lambda kind: _name(kinds[kind]),
        default=periods[0].kind,
        required=True,
        key="radar-period",
        label_visibility="collapsed",
    )
    return kinds[kind]


def _name(period: Period) -> str:
    if period.kind == "import":
        return _("The newest import")
    year, number = period.name.split("-W")
    return _("Week {number} of {year}").format(number=int(number), year=year)


def _rising(account: Account, period: Period, decided: Sequence[DecidedTerm]) -> None:
    heading(_("Rising words"))
    if not period.posts_before:
        note(_("There is nothing before to compare with."), is_done=True)
        return
    terms.show(
        account, period, "rising", [_rising_row(one) for one in period.rising], lists.watched_keys(decided)
    )


def _rising_row(one: Rising) -> Row:
    return Row(one.word, one.count, one.before, one.rates, one.examples)


def _disguises(
    account: Account, period: Period, decided: Sequence[DecidedTerm], violation_words: Sequence[str]
) -> None:
    heading(_("Words of violations in disguise"))
    if not violation_words:
        note(_("With a few dozen labelled violations their words become known, and are looked for here."))
    rows = [_disguise_row(one) for one in period.disguises]
    terms.show(account, period, "disguises", rows, lists.watched_keys(decided))
    if violation_words:
        with st.expander(
            _("Words looked for: {count}").format(count=len(violation_words)), key="known-words"
        ):
            html(Markup('<div class="quiet">{}</div>').format(post_html("  ".join(violation_words))))


def _disguise_row(one: Disguise) -> Row:
    how = escape(_("for {word}, {how}")).format(word=post_html(one.word), how=_(HOW_WORDS[one.how]))
    return Row(one.written, one.count, one.before, one.rates, one.examples, how)
