"""Every text of the commands has a Chinese one with equal placeholders, and nothing of the catalogue is unused."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from tests.workbench.web.wording.test_i18n import blanks, first_arguments
from workbench import cli
from workbench.commands.wording.words import WORDS
from workbench.web.wording.i18n import FOLDER

CATALOGUE = FOLDER / "zh_CN" / "LC_MESSAGES" / "commands.po"
PLACES = (Path(cli.__file__).with_name("commands"), Path(cli.__file__))
SPEAKING = {"_", "N_", "say", "warn", "filled"}
SAME_IN_CHINESE = {"{name}, {memory}", "{base}, {where}"}


def spoken() -> Iterator[str]:
    for path, argument in first_arguments(SPEAKING, PLACES[0].parent):
        if path != PLACES[1] and PLACES[0] not in path.parents:
            continue
        value = getattr(argument, "value", None)
        if isinstance(value, str):
            yield value


def helps(command: Any) -> Iterator[str]:
    yield command.help
    yield from (parameter.help for parameter in command.params)
    for below in getattr(command, "commands", {}).values():
        yield from helps(below)


def wanted() -> set[str]:
    described = {text for name in cli.COMMANDS for text in helps(cli.load(name)) if text}
    summaries = {command.summary for command in cli.COMMANDS.values()}
    return {*spoken(), *described, *summaries, cli.DESCRIPTION}


def chinese() -> Catalog:
    with CATALOGUE.open("rb") as lines:
        return read_po(lines, locale="zh_CN")


def test_every_text_has_a_chinese_one() -> None:
    translated = {str(message.id) for message in chinese() if message.id and message.string}
    assert wanted() - translated == set()


def test_the_catalogue_holds_nothing_that_is_not_used() -> None:
    assert {str(message.id) for message in chinese() if message.id} - wanted() == set()
    assert not chinese().obsolete


def test_no_text_has_two_entries_of_which_one_would_be_lost() -> None:
    assert CATALOGUE.read_text(encoding="utf-8").count("\nmsgid ") == len(list(chinese()))


def test_a_translation_fills_the_same_blanks() -> None:
    unlike = {
        str(message.id) for message in chinese() if blanks(str(message.id)) != blanks(str(message.string))
    }
    assert unlike == set()


def test_nothing_waits_for_review() -> None:
    assert [message.id for message in chinese() if message.id and message.fuzzy] == []


def test_every_word_of_the_code_is_a_text_of_its_own() -> None:
    assert set(spoken()) >= WORDS
