"""HTML of the app. `Markup.format` and `Markup.join` escape every text that is put into a template."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import streamlit as st
from markupsafe import Markup

from workbench.web.elements.hidden import without_hidden

STYLES = Path(__file__).parents[1] / "styles"
"""Tokens and frame come first, then the parts of several pages, then those of one page each."""
FIRST = ("tokens", "frame", "elements")
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


@cache
def style() -> str:
    files = sorted(STYLES.glob("*.css"), key=lambda file: (file.stem not in FIRST, file.stem))
    first = [STYLES / f"{name}.css" for name in FIRST]
    return "\n".join(file.read_text(encoding="utf-8") for file in [*first, *files[len(FIRST) :]])


def show_style() -> None:
    st.html(f"<style>{style()}</style>")


def each(template: Markup, values: Iterable[object]) -> Markup:
    return NOTHING.join(template.format(value) for value in values)
