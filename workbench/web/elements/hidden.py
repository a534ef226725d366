"""Characters that a reader does not see, or that change how others are read: controls, marks of direction, blanks."""

import re
import unicodedata

JOINER = "\u200d"
VARIATION = "\ufe0f"
BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters with an empty glyph."""
KEYCAPS = frozenset("0123456789#*")
IGNORABLE = (
    ("\u034f", "\u034f"),
    ("\u17b4", "\u17b5"),
    ("\u180b", "\u180f"),
    ("\u2060", "\u206f"),
    ("\ufe00", "\ufe0e"),
    ("\ufff0", "\ufff8"),
    ("\U000e0000", "\U000e0fff"),
)
"""Default_Ignorable_Code_Point of Unicode, where the category does not imply it: rendered as nothing."""
_UNUSUAL = re.compile(r"[^\n\t -~\u3001-\u3015\u4e00-\u9fff\uff01-\uff5e]")
"""The others, which most texts consist of, are all visible."""


def without_hidden(text: str) -> str:
    """Hidden characters as their code points."""
    return _UNUSUAL.sub(lambda one: written(one[0]) if is_hidden(text, one.start()) else one[0], text)


def written(character: str) -> str:
    return f"␣U+{ord(character):04X}"


def is_hidden(text: str, at: int) -> bool:
    character = text[at]
    if character in "\n\t" or " " <= character <= "~" or "\u4e00" <= character <= "\u9fff":
        return False
    if character == JOINER:
        return not _joins_emoji(text, at)
    if character == VARIATION:
        before = text[at - 1 : at]
        return not (before and (before in KEYCAPS or _is_emoji(before)))
    return (
        character in BLANKS
        or any(first <= character <= last for first, last in IGNORABLE)
        or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    )


def _joins_emoji(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return bool(before and after) and all(_is_emoji(neighbour) for neighbour in (before, after))


def _is_emoji(character: str) -> bool:
    return character == VARIATION or unicodedata.category(character) in {"So", "Sk"}
