"""The theme that a visitor has chosen, in a cookie as the language is. Unchosen, it is the system's."""

import streamlit as st

from workbench.people.preferences import THEMES

COOKIE = "theme"
UNCHOSEN = THEMES[0]


def choose_theme(chosen: str | None) -> str:
    return chosen if chosen in THEMES else UNCHOSEN


def current_theme() -> str:
    return choose_theme(st.context.cookies.get(COOKIE))
