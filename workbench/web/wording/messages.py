"""Messages in the reader's language: the template is translated, then its values are filled in."""

from collections.abc import Callable, Mapping
from typing import Any

from trainer.messages import Message, Value
from workbench.web.wording.i18n import N_, catalogue, current_language
from workbench.web.wording.words import LABEL_WORDS, NAME_WORDS, RIGHT_WORDS, SPLIT_WORDS, STATE_WORDS

FAILED_STEP_WORDS = {
    "Training": N_("Training"),
    "Evaluating": N_("Evaluating"),
    "Adapting": N_("Adapting"),
    "adapt": N_("adapt"),
    "admit": N_("admit"),
    "evaluate": N_("evaluate"),
    "export": N_("export"),
    "judge": N_("judge"),
    "prepare": N_("prepare"),
    "promote": N_("promote"),
    "score": N_("score"),
    "train": N_("train"),
    "weigh": N_("weigh"),
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "state": STATE_WORDS,
    "right": RIGHT_WORDS,
    "split": SPLIT_WORDS,
    "name": NAME_WORDS,
    "label": LABEL_WORDS,
    "step": FAILED_STEP_WORDS,
}
"""Values to translate, by their name in the template; all others are names and numbers, used as they are."""

ON_PAGES = {
    "its confidences are further from the truth: calibration error {own}, the champion's {other}": N_(
        "its confidences are further from the truth: calibration error {own}, of the one in use {other}"
    ),
    "there is no adapter in use to compare with": N_("nothing was in use to compare with"),
    "of {n} violations it misses {lost} that the champion finds, and finds {gained} that the "
    "champion misses, if both flag {flags} of the test posts (p = {p})": N_(
        "of {n} violations it misses {lost} that the one in use finds, and finds {gained} that the "
        "one in use misses, if both flag {flags} of the test posts (p = {p})"
    ),
}
"""Templates with another wording on pages, which avoid "champion", a term of the commands and the docs."""

Translate = Callable[[str], str]


def shown(message: Message) -> str:
    return message_in(message, current_language())


def shown_as_stored(message: Mapping[str, Any]) -> str:
    return shown(Message.from_dict(message))


def message_in(message: Message, language: str) -> str:
    return _translated(message, catalogue(language).gettext)


def _translated(message: Message, translate: Translate) -> str:
    sentence = translate(ON_PAGES.get(message.template, message.template))
    if not message.values:
        return sentence
    return sentence.format(**{name: _value(name, value, translate) for name, value in message.values.items()})


def _value(name: str, value: Value, translate: Translate) -> object:
    match value:
        case Message():
            return _translated(value, translate)
        case tuple():
            return translate(N_("; ")).join(_translated(part, translate) for part in value)
    word = WORDS.get(name, {}).get(str(value))
    return value if word is None else translate(word)
