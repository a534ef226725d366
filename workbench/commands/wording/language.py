"""The language of the command line, and its texts in that language.

_("text")                  translates now
N_("text")                 only marks the text for the catalogue
filled("{n} posts", n=3)   translates, then fills in the values
told(message)              a message of another package
"""

import tomllib
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from trainer.messages import Message
from workbench.web.wording.i18n import LANGUAGES, N_, catalogue, current_language

__all__ = ["N_", "_", "choose", "filled", "listed", "told"]

SETTING, VARIABLE = "language", "WORKBENCH_LANGUAGE"
OF_LOCALE = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""In the order in which gettext asks them."""
SETTINGS_FILE = "workbench.toml"


def choose(arguments: Sequence[str], variables: Mapping[str, str]) -> str:
    """By the setting of the project that the arguments name, else by the locale.

    Read before the arguments and the settings are: whatever is wrong with them is said in this language.
    """
    setting = variables.get(VARIABLE) or _setting(_home(arguments, variables))
    if setting in LANGUAGES:
        return setting
    locale = next((variables[name] for name in OF_LOCALE if variables.get(name)), "")
    return "zh" if locale.lower().startswith("zh") else "en"


def _home(arguments: Sequence[str], variables: Mapping[str, str]) -> Path:
    home = variables.get("WORKBENCH_HOME", "")
    for argument, following in pairwise((*arguments, "")):
        if argument == "--home":
            home = following
        elif argument.startswith("--home="):
            home = argument.removeprefix("--home=")
    return Path(home)


def _setting(home: Path) -> str | None:
    try:
        value = tomllib.loads((home / SETTINGS_FILE).read_text(encoding="utf-8")).get(SETTING)
    except (OSError, ValueError):  # the command says what is wrong with the file
        return None
    return value if isinstance(value, str) else None


def _(text: str) -> str:
    return catalogue(current_language(), "commands").gettext(text)


def told(message: Message) -> str:
    """In English as it was raised: pages have other words for some messages."""
    if current_language() == "en":
        return str(message)
    from workbench.web.wording.messages import message_in  # noqa: PLC0415 - loads the database

    return message_in(message, current_language())


def filled(template: str, /, **values: object) -> str:
    shown = {name: told(value) if isinstance(value, Message) else value for name, value in values.items()}
    return _(template).format(**shown)


def listed(parts: Sequence[str]) -> str:
    return _(", ").join(parts)
