"""Foreign text and machine-readable output on a terminal or pipe of any encoding."""

import io
import json
import sys
import unicodedata
from typing import Any

INTERRUPTED = 130
"""Exit status after Ctrl-C."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
DELETE = "\x7f"


def printable(text: str) -> str:
    """Replaces the characters that could steer a terminal: controls, marks of direction, invisible ones.

    Line feeds stay; wide and other spaces are no controls.
    """
    if text.isprintable():
        return text
    return "".join(character if _is_shown(character) else REPLACEMENT for character in text)


def json_text(value: Any, encoding: str | None, *, indent: int | None = None) -> str:
    """JSON in which a character that steers a terminal, or that `encoding` cannot show, is an escape."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isascii() and DELETE not in text:
        return text
    return "".join(
        character if _is_shown(character) and _fits(character, encoding) else _escaped(character)
        for character in text
    )


def _escaped(character: str) -> str:
    """`json.dumps` leaves DEL as it is."""
    return "\\u007f" if character == DELETE else json.dumps(character)[1:-1]


def accept_any_text() -> None:
    """A character that the terminal or pipe cannot show is written as an escape instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_shown(character: str) -> bool:
    return character == "\n" or character.isprintable() or unicodedata.category(character) == "Zs"


def _fits(character: str, encoding: str | None) -> bool:
    try:
        character.encode(encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
