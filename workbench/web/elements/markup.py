"""HTML of the app. `Markup.format` and `Markup.join` escape every text that is put into a template."""

from collections.abc import Iterable
from pathlib import Path

import streamlit as st
from markupsafe import Markup

from workbench.web.elements.hidden import without_hidden

STYLE = Path(__file__).with_name("style.css")
NOTHING = Markup("")
LINE_BREAK = Markup("&#10;")
QUIET = Markup('<div class="quiet">{}</div>')
"""A small grey line that explains the element above it."""


def html(markup: Markup) -> None:
    """Show HTML. Pages call this, not `st.html`, so that no plain text reaches them as HTML.

    Ids, boards and file names come from the forum as posts do, so what is hidden in them is written out as well.
    """
    # Line breaks are encoded: Streamlit strips indentation, and the lines of a post may begin with spaces.
    st.html(without_hidden(markup).replace("\n", LINE_BREAK))


def show_style() -> None:
    st.html(STYLE)


def each(template: Markup, values: Iterable[object]) -> Markup:
    return NOTHING.join(template.format(value) for value in values)
