"""What starts when by itself, and the form with which a lead changes it."""

from datetime import datetime

import streamlit as st

from workbench.accounts import Account
from workbench.rounds.automatic import rules
from workbench.rounds.automatic.schedule import OFF, Rule, zone_names
from workbench.rounds.automatic.upcoming import Upcoming, read_upcoming
from workbench.settings import MOST
from workbench.web.current_project import project
from workbench.web.elements.widgets import attempt, clock, quiet
from workbench.web.wording.i18n import _
from workbench.web.wording.messages import shown
from workbench.web.wording.words import person_word


def show_automatic(is_lead: bool) -> None:
    with project().database.read() as session:
        upcoming = read_upcoming(project(), session)
    if not (is_lead or upcoming.rule.is_on):
        return
    with st.expander(_fold_title(upcoming), key="automatic"):
        quiet(*map(shown, upcoming.sentences()), *_author_lines(upcoming))
        if is_lead:
            _form(upcoming)
            if upcoming.rule.is_on:
                _buttons(upcoming)


def _fold_title(upcoming: Upcoming) -> str:
    state = _("on") if upcoming.rule.is_on else _("off")
    return _("Rounds that start by themselves: {state}").format(state=state)


def _author_lines(upcoming: Upcoming) -> list[str]:
    if upcoming.set_by is None or upcoming.set_at is None:
        return []
    line = _("Set by {name} on {time}.")
    return [line.format(name=person_word(upcoming.set_by), time=clock(upcoming.set_at))]


def _form(upcoming: Upcoming) -> None:
    # Keys with the moment: fields that another lead's change has made outdated begin anew.
    rule, mark = upcoming.rule, "" if upcoming.set_at is None else upcoming.set_at.isoformat()
    with st.form("automatic-form", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input(
                _("After so many new labels"),
                min_value=1,
                max_value=MOST,
                value=rule.after_labels,
                placeholder=_("never"),
                key=f"auto-labels{mark}",
            )
            st.time_input(_("At a time of day"), value=rule.at, key=f"auto-at{mark}")
            zones = sorted(zone_names())
            st.selectbox(
                _("Time zone"),
                zones,
                index=zones.index(rule.zone) if rule.zone in zones else None,
                placeholder=_("that of the server ({zone})").format(zone=_server_zone()),
                key=f"auto-zone{mark}",
            )
        quiet(
            _(
                "With both, at whichever comes first; with neither, never. A round needs a new label; it is a full one, with the base encoder of the project."
            )
        )
        st.form_submit_button(_("Save"), on_click=_save, args=(mark, upcoming.set_at))


def _save(mark: str, seen: datetime | None) -> None:
    after_labels, at, zone = (st.session_state[f"auto-{name}{mark}"] for name in ("labels", "at", "zone"))
    rule = Rule(after_labels, at, None if at is None else zone)

    def save(account: Account) -> None:
        rules.set_rule(project(), account, rule, seen=seen)

    attempt(save)


def _buttons(upcoming: Upcoming) -> None:
    skips = not upcoming.standing.skips_next

    def skip(account: Account) -> None:
        rules.skip_next(project(), account, skips=skips)

    def switch_off(account: Account) -> None:
        rules.set_rule(project(), account, OFF, seen=upcoming.set_at)

    with st.container(horizontal=True):
        word = _("Skip the next one") if skips else _("Do not skip the next one")
        st.button(word, key="auto-skip", on_click=attempt, args=(skip,))
        st.button(_("Switch off"), key="auto-off", on_click=attempt, args=(switch_off,))


def _server_zone() -> str:
    return f"{project().now().astimezone():%Z}"
