"""Every displayed sentence has a Chinese translation with equal placeholders."""

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

import trainer
import workbench
from trainer.messages import Message, MessageError
from trainer.reading.rejects import REASONS, RejectCode
from workbench.errors import NotAllowedError, RoundError
from workbench.web.wording.i18n import FOLDER, catalogue, choose_language
from workbench.web.wording.messages import ON_PAGES
from workbench.web.wording.refusals import refusal_in

WORKBENCH, TRAINER = (Path(str(package.__file__)).parent for package in (workbench, trainer))
CATALOGUE = FOLDER / "zh_CN" / "LC_MESSAGES" / "workbench.po"
TEMPLATES_FROM_ELSEWHERE = {"messages.py", "rejects.py", "files.py", "tsv.py"}
"""Places where the template of a message comes from a table or another message."""


@cache
def syntax_of(root: Path) -> dict[Path, list[ast.AST]]:
    return {path: list(ast.walk(ast.parse(path.read_text(encoding="utf-8")))) for path in root.rglob("*.py")}


def first_arguments(functions: set[str], root: Path) -> Iterator[tuple[Path, ast.expr]]:
    for path, nodes in syntax_of(root).items():
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
                yield from ((path, argument) for argument in node.args[:1])


def first_texts(functions: set[str], root: Path) -> Iterator[str]:
    for _path, argument in first_arguments(functions, root):
        match argument:
            case ast.Constant(value=str(text)):
                yield text


def message_classes() -> set[str]:
    """`Message`, and the names of all errors that carry one."""
    names = {Message.__name__, MessageError.__name__}
    classes = [
        (node.name, {base.id for base in node.bases if isinstance(base, ast.Name)})
        for root in (WORKBENCH, TRAINER)
        for nodes in syntax_of(root).values()
        for node in nodes
        if isinstance(node, ast.ClassDef)
    ]
    while more := {name for name, bases in classes if bases & names} - names:
        names |= more
    return names


def templates() -> set[str]:
    """Templates of all messages that workbench and trainer raise or store."""
    written = {text for root in (WORKBENCH, TRAINER) for text in first_texts(message_classes(), root)}
    return {ON_PAGES.get(template, template) for template in {*written, *REASONS.values()}}


def wanted() -> set[str]:
    return {*first_texts({"_", "N_"}, WORKBENCH / "web"), *templates()}


def chinese() -> Catalog:
    with CATALOGUE.open("rb") as lines:
        return read_po(lines, locale="zh_CN")


def blanks(text: str) -> set[str]:
    return {name for _text, name, _spec, _conversion in string.Formatter().parse(text) if name}


def test_every_text_and_refusal_has_a_chinese_sentence() -> None:
    translated = {str(message.id) for message in chinese() if message.id and message.string}
    assert wanted() - translated == set()


def test_a_message_is_a_literal_template_with_its_values() -> None:
    """Otherwise no catalogue can contain it."""
    assert {"StoppedError", "RoundError", "DatasetError"} <= message_classes()
    unknown = {
        f"{path.name}, line {argument.lineno}"
        for root in (WORKBENCH, TRAINER)
        for path, argument in first_arguments(message_classes(), root)
        if not isinstance(argument, ast.Constant) and path.name not in TEMPLATES_FROM_ELSEWHERE
    }
    assert unknown == set()


def test_every_stored_code_has_a_template() -> None:
    assert set(RejectCode) - set(REASONS) == {RejectCode.AS_WRITTEN}


def test_what_pages_say_in_other_words_is_still_raised() -> None:
    written = {text for root in (WORKBENCH, TRAINER) for text in first_texts(message_classes(), root)}
    assert set(ON_PAGES) <= written


def test_the_catalogue_holds_nothing_that_is_not_used() -> None:
    assert {str(message.id) for message in chinese() if message.id} - wanted() == set()
    assert not chinese().obsolete


def test_no_text_has_two_entries_of_which_one_would_be_lost() -> None:
    """As a merge of two branches leaves them. The reader keeps one and says nothing."""
    entries = CATALOGUE.read_text(encoding="utf-8").count("\nmsgid ")
    assert entries == len(list(chinese()))


def test_a_translation_fills_the_same_blanks() -> None:
    unlike = {
        str(message.id) for message in chinese() if blanks(str(message.id)) != blanks(str(message.string))
    }
    assert unlike == set()


@pytest.mark.parametrize("domain", ["workbench", "commands"])
def test_chinese_has_its_own_punctuation_and_one_form_of_address(domain: str) -> None:
    with CATALOGUE.with_name(f"{domain}.po").open("rb") as lines:
        texts = [str(message.string) for message in read_po(lines, locale="zh_CN") if message.id]
    assert [text for text in texts if "您" in text] == []
    assert [text for text in texts if re.search(r"[\u4e00-\u9fff][,;?!]|[\u4e00-\u9fff]:(?!//)", text)] == []


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
