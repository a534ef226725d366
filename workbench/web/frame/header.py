"""The header of every page: mark, navigation, and what the visitor chooses for themselves."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from markupsafe import Markup
from streamlit.navigation.page import StreamlitPage

from workbench.accounts import Account
from workbench.people.preferences import THEMES
from workbench.web.elements.markup import NOTHING, html
from workbench.web.frame.theme import current_theme
from workbench.web.wording.i18n import LANGUAGES, N_, _, current_language
from workbench.web.wording.words import ROLE_WORDS

_THEME_WORDS = {"system": N_("As the system"), "light": N_("Light"), "dark": N_("Dark")}
_SIGN = Markup('<i class="sign {}" aria-hidden="true"></i>')
"""Drawn by frame.css: Streamlit removes pictures from HTML."""
_CHOICE = Markup(
    '<form method="post" action="/preferences"><input type="hidden" name="next" value="{}">{}</form>'
)


@dataclass(frozen=True)
class Link:
    """A page in the navigation, and how much waits there."""

    page: StreamlitPage
    title: str
    count: int


def header(account: Account, links: Sequence[Link], here: str) -> None:
    """`here` is the address of this page."""
    with st.container(key="frame", horizontal=True):
        html(Markup('<a class="home" href="/">{}{}</a>').format(_SIGN.format("mark"), _("Workbench")))
        with st.container(key="navigation", horizontal=True):
            for link in links:
                if f"/{link.page.url_path}" == here:
                    with st.container(key="here"):
                        _page_link(link)
                else:
                    _page_link(link)
        html(Markup('<div class="own">{}{}{}</div>').format(_language(here), _theme(here), _person(account)))


def _page_link(link: Link) -> None:
    badge = f" :gray-badge[{link.count}]" if link.count else ""
    st.page_link(link.page, label=link.title + badge)


def _language(here: str) -> Markup:
    other = next(language for language in LANGUAGES if language != current_language())
    button = Markup('<button name="language" value="{}" lang="{}" title="{}">{}</button>')
    return _CHOICE.format(
        here, button.format(other, other, LANGUAGES[other], "中" if other == "zh" else "EN")
    )


def _theme(here: str) -> Markup:
    now = current_theme()
    choice = Markup('<button name="theme" value="{}" aria-pressed="{}">{}{}</button>')
    choices = NOTHING.join(
        choice.format(theme, "true" if theme == now else "false", _SIGN.format(theme), _(_THEME_WORDS[theme]))
        for theme in THEMES
    )
    opener = Markup(
        '<button type="button" popovertarget="theme-menu" aria-label="{0}" title="{0}">{1}</button>'
        '<div id="theme-menu" class="menu" popover="auto">{2}</div>'
    )
    return opener.format(_("Theme"), _SIGN.format(now), _CHOICE.format(here, choices))


def _person(account: Account) -> Markup:
    menu = Markup(
        '<button type="button" class="person" popovertarget="person-menu" aria-label="{name}" title="{name}">'
        '<span class="initial" aria-hidden="true">{initial}</span></button>'
        '<div id="person-menu" class="menu" popover="auto"><div class="who">{name}<small>{role}</small></div>'
        '<a href="/account">{own}</a><a href="/practice">{practice}</a><a href="/news">{news}</a>'
        '<form method="post" action="/sign-out"><button>{sign_out}</button></form></div>'
    )
    return menu.format(
        name=account.name,
        initial=account.name[:1].upper(),
        role=_(ROLE_WORDS[account.role]),
        own=_("My account"),
        practice=_("Practice"),
        news=_("What is new"),
        sign_out=_("Sign out"),
    )
