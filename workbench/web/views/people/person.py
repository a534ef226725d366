"""One person: a link for a new password, another role, disabled or enabled."""

from collections.abc import Callable, Sequence

import streamlit as st

from workbench.accounts import ROLES, Account
from workbench.people import members
from workbench.people.members import Member
from workbench.web.current_project import project
from workbench.web.elements.visible import post_text
from workbench.web.elements.widgets import attempt, heading, note, quiet
from workbench.web.views.people import links
from workbench.web.wording.i18n import _
from workbench.web.wording.words import ROLE_WORDS

CHOSEN, ASKED = "people-person", "people-asked"


def state_word(member: Member) -> str:
    if not member.is_active:
        return _("disabled")
    if member.has_password:
        return ""
    return _("by the organisation") if member.has_identity else _("no password yet")


def change(account: Account, managed: Sequence[Member]) -> None:
    if not managed:
        return
    heading(_("Change a person"))
    by_id = {each.id: each for each in managed}
    chosen = st.selectbox(
        _("Person"),
        list(by_id),
        index=None,
        format_func=lambda number: post_text(by_id[number].name) if number in by_id else "",
        placeholder=_("Choose a person"),
        key=CHOSEN,
        label_visibility="collapsed",
    )
    if chosen not in by_id:
        return
    member = by_id[chosen]
    if st.session_state.get(ASKED) == member.id:
        _confirm(member)
    elif member.is_active:
        _role_form(account, member)
        _active(member)
    else:
        _button(_("Enable"), f"people-enable-{member.id}", lambda: _ask(member))
    links.show_made("person")


def _active(member: Member) -> None:
    with st.container(horizontal=True):
        word = _("Link for a new password") if member.has_password else _("Link for a password")
        _button(word, f"people-link-{member.id}", lambda: _make_link(member))
        _button(_("Disable"), f"people-disable-{member.id}", lambda: _ask(member))


def _make_link(member: Member) -> None:
    attempt(lambda account: links.make_for(account, [member.id], "person"))


def _role_form(account: Account, member: Member) -> None:
    roles = [role for role in ROLES if account.manages(role)]
    with (
        st.form(f"people-role-{member.id}-{member.role}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        key = f"people-new-role-{member.id}-{member.role}"
        st.selectbox(
            _("Role"),
            roles,
            index=roles.index(member.role),
            format_func=lambda role: _(ROLE_WORDS[role]),
            key=key,
        )
        st.form_submit_button(_("Change the role"), on_click=_change_role, args=(member, key))
    quiet(_("They are signed out, and have the new role once they sign in again."))


def _change_role(member: Member, key: str) -> None:
    role = st.session_state[key]
    if role != member.role:
        attempt(lambda account: members.change_role(project(), account, member.id, role))


def _confirm(member: Member) -> None:
    if member.is_active:
        note(
            _(
                "{name} is signed out at once and can no longer sign in. What {name} has open goes back to the "
                "queue; every label stays. You can enable the account again."
            ).format(name=member.name)
        )
    else:
        text = _("{name} can sign in again, in the role {role} and with the password from before.")
        note(text.format(name=member.name, role=_(ROLE_WORDS[member.role])), is_done=True)
    with st.container(horizontal=True):
        word = _("Yes, disable") if member.is_active else _("Yes, enable")
        _button(word, f"people-sure-{member.id}", lambda: _set_active(member), is_primary=True)
        _button(_("Leave it as it is"), f"people-not-{member.id}", _ask_no_more)


def _set_active(member: Member) -> None:
    _ask_no_more()
    act = members.disable if member.is_active else members.enable
    attempt(lambda account: act(project(), account, member.id))


def _ask(member: Member) -> None:
    st.session_state[ASKED] = member.id


def _ask_no_more() -> None:
    st.session_state.pop(ASKED, None)


def _button(word: str, key: str, on_click: Callable[[], None], *, is_primary: bool = False) -> None:
    st.button(word, key=key, type="primary" if is_primary else "secondary", on_click=on_click)
