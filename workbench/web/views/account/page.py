"""My account: one's own password and sessions."""

import streamlit as st
from markupsafe import Markup

from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.people import entering, sessions
from workbench.people.passwords import LONGEST, SHORTEST
from workbench.people.sessions import OpenSession, SignedIn
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, html
from workbench.web.elements.widgets import (
    attempt,
    clock,
    heading,
    note,
    quiet,
    refusal,
    require_account,
    show_notice,
)
from workbench.web.frame.title import title
from workbench.web.identity import current_visitor
from workbench.web.wording.browsers import browser_word
from workbench.web.wording.i18n import _
from workbench.web.wording.refusals import refusal_text

WITH_PASSWORD = frozenset({"password", "link"})
"""Means of coming in of a person who has a password: a link is used to choose one."""
OLD, NEW = "account-old", "account-new"


def show() -> None:
    account = require_account()
    title(_("My account"))
    show_notice()
    if done := st.session_state.pop("account-done", None):
        note(done, is_done=True)
    visitor = current_visitor()
    if visitor is None:  # the session ended just now
        return
    try:
        mine = sessions.open_sessions(project(), account)
    except WorkbenchError as error:
        refusal(error)
        return
    if any(each.id == visitor.session_id and each.means in WITH_PASSWORD for each in mine):
        _password_form()
    _sessions(mine, visitor.session_id)


def _password_form() -> None:
    heading(_("Change the password"))
    with st.form("account-password", border=False):
        st.text_input(
            _("Old password"), type="password", key=OLD, max_chars=LONGEST, autocomplete="current-password"
        )
        st.text_input(
            _("New password, at least {least} characters").format(least=SHORTEST),
            type="password",
            key=NEW,
            max_chars=LONGEST,
            autocomplete="new-password",
        )
        st.form_submit_button(_("Change the password"), on_click=_change_password)
    quiet(_("Your other sessions end with it."))


def _change_password() -> None:
    visitor = current_visitor()
    if visitor is None:
        return
    old, new = st.session_state[OLD], st.session_state[NEW]
    st.session_state[OLD] = st.session_state[NEW] = ""  # neither stays in memory or on the page
    try:
        entering.change_password(project(), visitor, old, new)
    except WorkbenchError as error:
        st.session_state["notice"] = refusal_text(error)
    else:
        st.session_state["account-done"] = _("The password is changed, and your other sessions have ended.")


def _sessions(mine: list[OpenSession], this: int) -> None:
    heading(_("Where you are signed in"))
    quiet(_("End what you do not know, and change your password."))
    for each in mine:
        _session(each, is_this=each.id == this)
    if len(mine) > 1:
        st.button(_("End all others"), key="account-end-others", on_click=_end_others)


def _session(each: OpenSession, *, is_this: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"session-{each.id}"):
        html(_line(each, is_this=is_this))
        if not is_this:
            st.button(
                _("End"),
                key=f"account-end-{each.id}",
                width="content",
                on_click=attempt,
                args=(lambda account: _end(account, each.id),),
            )


def _line(each: OpenSession, *, is_this: bool) -> Markup:
    parts = (
        each.client,
        _("since {when}").format(when=clock(each.started_at)),
        _("last used {when}").format(when=clock(each.seen_at)),
    )
    line = Markup('<div class="session"><b>{}</b>{} <div class="facts">{}</div></div>')
    mark = Markup(' <span class="quiet">{}</span>').format(_("this one")) if is_this else NOTHING
    cells = NOTHING.join(Markup("<span>{}</span>").format(part) for part in parts if part)
    return line.format(browser_word(each.browser), mark, cells)


def _end(account: Account, session_id: int) -> None:
    sessions.end_own(project(), account, session_id)
    st.session_state["account-done"] = _("That session has ended.")


def _end_others() -> None:
    visitor = current_visitor()
    if visitor is not None:
        attempt(lambda account: _end_all_but(account, visitor))


def _end_all_but(account: Account, visitor: SignedIn) -> None:
    count = sessions.end_others(project(), account, visitor.session_id)
    st.session_state["account-done"] = _("Sessions ended: {count}.").format(count=count)
