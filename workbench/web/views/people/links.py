"""Links that work once: made, shown once, and withdrawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import streamlit as st
from markupsafe import Markup

from workbench.accounts import ROLES, Account
from workbench.people import invitations
from workbench.people.invitations import DAYS, MOST_DAYS, Link, OpenLink
from workbench.web.current_project import project
from workbench.web.elements.markup import html
from workbench.web.elements.widgets import attempt, clock, heading, note, quiet
from workbench.web.wording.i18n import _
from workbench.web.wording.words import ROLE_WORDS, person_word

MADE = "people-made"
Place = Literal["invite", "person", "all"]


@dataclass(frozen=True)
class Made:
    """Links on screen, by whom they are for. Their secrets are stored nowhere else."""

    links: Mapping[str, Link]
    place: Place
    """Where on the page they were asked for, and are shown."""


def invite(account: Account) -> None:
    heading(_("Invite"))
    with (
        st.form("people-invite", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        st.selectbox(
            _("Role"),
            [role for role in ROLES if account.manages(role)],
            format_func=lambda role: _(ROLE_WORDS[role]),
            key="people-invite-role",
        )
        st.number_input(
            _("Days that the link works"), min_value=1, max_value=MOST_DAYS, value=DAYS, key="people-days"
        )
        st.form_submit_button(_("Make a link"), on_click=attempt, args=(_invite,))
    quiet(_("One person joins with it, in this role, and chooses a name and a password."))
    show_made("invite")


def _invite(account: Account) -> None:
    role, days = st.session_state["people-invite-role"], st.session_state["people-days"]
    link = invitations.invite(project(), account, role, days)
    st.session_state[MADE] = Made({_(ROLE_WORDS[role]): link}, "invite")


def make_for(account: Account, person_ids: Sequence[int], place: Place) -> None:
    made = invitations.password_links(project(), account, person_ids)
    st.session_state[MADE] = Made(made, place)


def show_made(place: Place) -> None:
    made: Made | None = st.session_state.get(MADE)
    if made is None or made.place != place:
        return
    with st.container(key=MADE, border=True):
        until = clock(next(iter(made.links.values())).expires_at)
        note(
            _(
                "Copy now: links are not shown again. Send each to one person alone, for example in a private "
                "message: it works once, for whoever is first, until {until}."
            ).format(until=until)
        )
        for name, link in made.links.items():
            html(Markup("<b>{}</b>").format(name))
            st.code(_address(link), language=None, wrap_lines=True)
        if _base().startswith("http://"):
            quiet(_("Without public_url in the settings it opens in a browser on this machine only."))
        st.button(_("I have copied it"), key="people-copied", on_click=_forget)


def show_open(open_links: Sequence[OpenLink]) -> None:
    if not open_links:
        return
    heading(_("Links that were not used yet"))
    for link in open_links:
        with st.container(horizontal=True, vertical_alignment="center", key=f"link-{link.id}"):
            html(_line(link))
            st.button(
                _("Withdraw"),
                key=f"people-withdraw-{link.id}",
                width="content",
                on_click=attempt,
                args=(lambda account, number=link.id: _withdraw(account, number),),
            )


def _withdraw(account: Account, link_id: int) -> None:
    invitations.withdraw(project(), account, link_id)
    _forget()
    st.session_state["people-done"] = _("The link no longer works.")


def _forget() -> None:
    st.session_state.pop(MADE, None)


def _line(link: OpenLink) -> Markup:
    if link.name is None:
        what = _("to join: {role}").format(role=_(ROLE_WORDS[link.role or ""]))
    else:
        what = _("new password: {name}").format(name=link.name)
    line = Markup('<div class="facts whole"><span><b>{}</b></span><span>{}</span><span>{}</span></div>')
    return line.format(
        what,
        _("by {name}").format(name=person_word(link.made_by)),
        _("until {when}").format(when=clock(link.expires_at)),
    )


def _address(link: Link) -> str:
    return f"{_base()}/join/{link.secret}"


def _base() -> str:
    """The public address, else that in the browser: the door has compared the Origin of this websocket with ours."""
    return project().settings.public_url or st.context.headers.get("Origin", "")
