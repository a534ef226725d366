"""A post as HTML that shows exactly what was written, hidden characters included."""

import unicodedata
from html import escape

JOINER = "\u200d"
VARIATION = "\ufe0f"
BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters that draw nothing."""


def post_html(text: str) -> str:
    """Escaped text in which control, formatting and blank characters carry their number as a small mark.

    Bidirectional controls lose their effect that way: a mark is shown where each one was.
    """
    # On one line: Streamlit strips indentation from HTML, and a post may begin its lines with spaces.
    return "".join(_shown(text, at) for at in range(len(text)))


def _shown(text: str, at: int) -> str:
    character = text[at]
    if character == "\n":
        return "&#10;"
    if character == "\t":
        return "&#9;"
    return _mark(character) if _is_hidden(text, at) else escape(character)


def _is_hidden(text: str, at: int) -> bool:
    character = text[at]
    if character == JOINER:
        return not _joins_emoji(text, at)
    return character in BLANKS or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _joins_emoji(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return bool(before and after) and all(_is_emoji(neighbour) for neighbour in (before, after))


def _is_emoji(character: str) -> bool:
    return character == VARIATION or unicodedata.category(character) in {"So", "Sk"}


def _mark(character: str) -> str:
    name = escape(unicodedata.name(character, ""))
    return f'<span class="mark" title="{name}">␣U+{ord(character):04X}</span>'
