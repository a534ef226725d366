"""A refusal of ours in the reader's language: its template is a message, its values fill the blanks."""

from collections.abc import Callable

from workbench.errors import WorkbenchError
from workbench.web.wording.i18n import catalogue, current_language
from workbench.web.wording.words import NAME_WORDS, RIGHT_WORDS, SPLIT_WORDS, STATE_WORDS

WORDS = {"state": STATE_WORDS, "right": RIGHT_WORDS, "split": SPLIT_WORDS, "name": NAME_WORDS}
"""Values that are words of the code; all others are names and numbers, which stay as they are."""


def refusal_text(error: WorkbenchError) -> str:
    """The refusal for whoever this script runs for."""
    return refusal_in(error, current_language())


def refusal_in(error: WorkbenchError, language: str) -> str:
    """The refusal in a language."""
    translate = catalogue(language).gettext
    sentence = translate(error.template)
    if not error.values:
        return sentence
    return sentence.format(**{name: _value(name, value, translate) for name, value in error.values.items()})


def _value(name: str, value: object, translate: Callable[[str], str]) -> object:
    word = WORDS.get(name, {}).get(str(value))
    return value if word is None else translate(word)
