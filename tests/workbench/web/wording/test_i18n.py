"""Whatever a person reads has a Chinese sentence, with the same blanks to fill."""

import ast
import inspect
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from workbench import errors
from workbench.errors import NotAllowedError, RoundError
from workbench.web.wording.i18n import FOLDER, catalogue, choose_language
from workbench.web.wording.refusals import refusal_in

WORKBENCH = Path(errors.__file__).parent
REFUSALS = {name for name, _ in inspect.getmembers(errors, inspect.isclass)}


def first_texts(functions: set[str], root: Path) -> Iterator[str]:
    """The literal first argument of every call of these functions, inside f-strings too."""
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
                match node.args:
                    case [ast.Constant(value=str(text)), *_]:
                        yield text


def wanted() -> set[str]:
    return {*first_texts({"_", "N_"}, WORKBENCH / "web"), *first_texts(REFUSALS, WORKBENCH)}


def chinese() -> Catalog:
    with (FOLDER / "zh_CN" / "LC_MESSAGES" / "workbench.po").open("rb") as lines:
        return read_po(lines, locale="zh_CN")


def blanks(text: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(text) if name}


def test_every_text_and_refusal_has_a_chinese_sentence() -> None:
    translated = {str(message.id) for message in chinese() if message.id and message.string}
    assert wanted() - translated == set()


def test_the_catalogue_holds_nothing_that_is_not_used() -> None:
    assert {str(message.id) for message in chinese() if message.id} - wanted() == set()
    assert not chinese().obsolete


def test_a_translation_fills_the_same_blanks() -> None:
    unlike = {
        str(message.id) for message in chinese() if blanks(str(message.id)) != blanks(str(message.string))
    }
    assert unlike == set()


def test_nothing_waits_for_review() -> None:
    assert [message.id for message in chinese() if message.id and message.fuzzy] == []


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "zh-Hans-CN", "zh"),
        (None, "de-DE,en-US;q=0.7", "en"),
        (None, "fr", "en"),
        (None, None, "en"),
        ("en", "zh-CN", "en"),
        ("zh", "en-US", "zh"),
        ("../etc", "en-US", "en"),
    ],
)
def test_the_language_is_what_was_picked_else_what_the_browser_asks_for(
    chosen: str | None, accepted: str | None, language: str
) -> None:
    assert choose_language(chosen, accepted) == language


def test_english_is_the_source() -> None:
    assert catalogue("en").gettext("violation") == "violation"
    assert catalogue("zh").gettext("violation") == "违规"


def test_a_refusal_is_told_in_the_language_with_its_values() -> None:
    refusal = RoundError("There is no round {number}. See `workbench round list`.", number=7)
    assert "7" in refusal_in(refusal, "zh")
    assert refusal_in(refusal, "zh") != refusal_in(refusal, "en") == str(refusal)


def test_a_name_in_a_refusal_is_not_translated() -> None:
    refusal = NotAllowedError("{name} is disabled. Ask a lead.", name="violation")
    assert "violation" in refusal_in(refusal, "zh")
