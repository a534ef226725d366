"""The language of the command line: chosen by the settings, else by the locale."""

from pathlib import Path

import pytest

from trainer.messages import Message
from workbench.commands.wording.language import _, choose, filled, told
from workbench.commands.wording.words import counts_text, word
from workbench.settings import FILE_NAME
from workbench.web.wording.i18n import speaking


@pytest.mark.parametrize(
    ("variables", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, "zh"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "zh:en"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "WORKBENCH_LANGUAGE": "en"}, "en"),
        ({"WORKBENCH_LANGUAGE": "zh"}, "zh"),
        ({"WORKBENCH_LANGUAGE": "xx", "LANG": "zh_CN"}, "zh"),
    ],
)
def test_the_locale_chooses_unless_a_variable_does(variables: dict[str, str], language: str) -> None:
    assert choose([], variables) == language


def test_the_setting_of_the_project_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / FILE_NAME).write_text('language = "zh"\n', encoding="utf-8")
    english = {"LANG": "en_US.UTF-8"}
    assert choose(["status", "--home", str(tmp_path)], english) == "zh"
    assert choose(["status", f"--home={tmp_path}"], english) == "zh"
    assert choose(["status"], english | {"WORKBENCH_HOME": str(tmp_path)}) == "zh"
    assert choose(["status"], english) == "en"
    monkeypatch.chdir(tmp_path)
    assert choose(["status"], english) == "zh"


@pytest.mark.parametrize("text", ["language = zh", 'language = "fr"', "language = 3", "\udcff"])
def test_settings_that_cannot_be_used_leave_the_locale(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text, encoding="utf-8", errors="surrogateescape")
    assert choose(["status", "--home", str(tmp_path)], {"LANG": "zh_CN.UTF-8"}) == "zh"
    assert choose(["status", "--home", str(tmp_path), "--home"], {}) == "en"


def test_texts_words_and_messages_are_translated() -> None:
    message = Message("Round {number} has no adapter to export.", number=3)
    assert (_("labelled"), word("suspicious"), told(message)) == ("labelled", "suspicious", str(message))
    with speaking("zh"):
        assert (_("labelled"), word("suspicious")) == ("已标注", "疑似")
        assert told(message) == "第 3 轮没有可导出的模型。"
        assert filled("- {problem}", problem=message) == "- 第 3 轮没有可导出的模型。"
        assert counts_text({"normal": 1200, "violation": 3}) == "正常 1,200，违规 3"


def test_what_people_wrote_is_not_translated() -> None:
    with speaking("zh"):
        assert word("a reason") == "a reason"
        assert told(Message.verbatim("labelled")) == "labelled"
