"""People, for those who manage them: who is in the project, and who may come in."""

import streamlit as st

from workbench.accounts import Right
from workbench.errors import WorkbenchError
from workbench.people import invitations, members
from workbench.people.invitations import OpenLink
from workbench.people.members import Member
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.tables import spread, table
from workbench.web.elements.widgets import (
    attempt,
    clock,
    heading,
    note,
    refusal,
    require_account,
    show_notice,
)
from workbench.web.frame.title import title
from workbench.web.views.people import links, person
from workbench.web.wording.i18n import N_, _
from workbench.web.wording.words import ROLE_WORDS

COLUMN_WORDS = (N_("name"), N_("role"), N_("state"), N_("last seen"))


def show() -> None:
    account = require_account()
    title(_("People"))
    if not account.may(Right.MANAGE_PEOPLE):
        note(_("This page is for leads."))
        return
    show_notice()
    if done := st.session_state.pop("people-done", None):
        note(done, is_done=True)
    try:
        people = members.listing(project(), account)
        open_links = invitations.open_links(project(), account)
    except WorkbenchError as error:
        refusal(error)
        return
    managed = members.managed_by(account, people)
    _without_password(managed, open_links)
    links.show_made("all")
    _table(people)
    links.invite(account)
    links.show_open(open_links)
    person.change(account, managed)


def _without_password(managed: list[Member], open_links: list[OpenLink]) -> None:
    """Earlier versions asked for a name alone: such people wait for their first password."""
    have_link = {link.name for link in open_links}
    waiting = [
        each
        for each in managed
        if each.is_active and not (each.has_password or each.has_identity) and each.name not in have_link
    ]
    if not waiting or project().demo_mark.exists():  # there people come in without one
        return
    text = _("Without a password, and so unable to sign in: {names}. They keep their roles and labels.")
    note(text.format(names=_(", ").join(each.name for each in waiting)))
    ids = [each.id for each in waiting]
    st.button(
        _("Make a link for each of them"),
        key="people-links-for-all",
        type="primary",
        on_click=attempt,
        args=(lambda account: links.make_for(account, ids, "all"),),
    )


def _table(people: list[Member]) -> None:
    heading(_("Who is in the project"))
    html(spread(table(map(_row, people), [_(word) for word in COLUMN_WORDS])))


def _row(member: Member) -> tuple[str, ...]:
    seen = "–" if member.seen_at is None else clock(member.seen_at)
    return (member.name, _(ROLE_WORDS[member.role]), person.state_word(member), seen)
