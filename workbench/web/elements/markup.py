"""HTML of the app. `Markup.format` and `Markup.join` escape every text that is put into a template."""

from collections.abc import Iterable
from pathlib import Path

import streamlit as st
from markupsafe import Markup

STYLE = Path(__file__).with_name("style.css")
NOTHING = Markup("")
LINE_BREAK = Markup("&#10;")
QUIET = Markup('<div class="quiet">{}</div>')
"""A small line beside what it explains."""


def html(markup: Markup) -> None:
    """Show HTML. The only call of Streamlit's function for it, so that no plain text reaches a page as HTML."""
    # On one line: Streamlit strips indentation, and a post may begin its lines with spaces.
    st.html(markup.replace("\n", LINE_BREAK))


def show_style() -> None:
    """The style sheet of all pages."""
    st.html(STYLE)


def each(template: Markup, values: Iterable[object]) -> Markup:
    """The template once for each value."""
    return NOTHING.join(template.format(value) for value in values)
