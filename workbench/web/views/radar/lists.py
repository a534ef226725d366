"""The terms that leads have decided about: those they watch, and those they dismissed for good."""

from collections.abc import Sequence
from functools import partial

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account, Right
from workbench.overview.radar import Period
from workbench.overview.watch_list import LONGEST_TERM, DecidedTerm, clear_term, key_of, watch_term
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import attempt, clock, heading, quiet
from workbench.web.views.radar import terms
from workbench.web.views.radar.terms import Row
from workbench.web.wording.i18n import _
from workbench.web.wording.words import person_word

FIELD = "watch-term"


def watched_keys(decided: Sequence[DecidedTerm]) -> set[str]:
    return {one.term for one in decided if one.standing == "watched"}


def watched(account: Account, period: Period, decided: Sequence[DecidedTerm]) -> None:
    listed = [one.term for one in decided if one.standing == "watched"]
    may_decide = account.may(Right.SET_WATCH_LIST)
    if not listed and not may_decide:
        return
    heading(_("Watch list"))
    quiet(_("Each scan counts these terms wherever they stand."))
    if listed:
        with terms.table("watched"):
            _rows(account, period, listed)
    if may_decide:
        _form()


def _rows(account: Account, period: Period, listed: Sequence[str]) -> None:
    for term in listed:
        terms.show_row(account, period, "watched", _row(period, term), [(_("Stop watching"), clear_term)])


def _form() -> None:
    with st.form(key="watch-form", border=False), st.container(horizontal=True):
        st.text_input(
            _("Term to watch"),
            key=FIELD,
            max_chars=LONGEST_TERM,
            placeholder=_("Term to watch"),
            label_visibility="collapsed",
        )
        st.form_submit_button(_("Watch"), on_click=attempt, args=(_watch_entered,))


def dismissed(account: Account, decided: Sequence[DecidedTerm]) -> None:
    listed = [one for one in decided if one.standing == "dismissed"]
    if not listed:
        return
    with st.expander(_("Dismissed terms: {count}").format(count=len(listed)), key="dismissed-terms"):
        for one in listed:
            line = Markup('<div class="dismissed"><b>{}</b> <small>{}</small></div>')
            by = _("by {name}, {when}").format(name=person_word(one.by), when=clock(one.at))
            with st.container(horizontal=True, vertical_alignment="center", key=f"dismissed-{one.term}"):
                html(line.format(post_html(one.term), by))
                if account.may(Right.SET_WATCH_LIST):
                    st.button(
                        _("Show again"),
                        key=f"show-again-{one.term}",
                        type="tertiary",
                        on_click=attempt,
                        args=(partial(_show_again, term=one.term),),
                    )


def _row(period: Period, term: str) -> Row:
    """As the scan counted it; a term that is watched since then has the figures of its row on the radar, if it has one."""
    for one in period.watched:
        if one.term == term:
            return Row(term, one.count, one.before, one.rates, one.examples)
    for risen in period.rising:
        if key_of(risen.word) == term:
            return Row(term, risen.count, risen.before, risen.rates, risen.examples)
    for variant in period.disguises:
        if key_of(variant.written) == term:
            return Row(term, variant.count, variant.before, variant.rates, variant.examples)
    return Row(term, None, 0, (), ())


def _watch_entered(account: Account) -> None:
    watch_term(project(), account, st.session_state.get(FIELD) or "")
    st.session_state[FIELD] = ""


def _show_again(account: Account, term: str) -> None:
    clear_term(project(), account, term)
