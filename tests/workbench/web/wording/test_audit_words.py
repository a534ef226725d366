"""People read words for what the audit holds, not the values of the code."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import workbench
from workbench.auditing.settings_in_force import IN_FORCE
from workbench.review.bulk_labels import LABELLED, TAKEN_BACK
from workbench.thresholds.verdicts import DECIDED
from workbench.web.wording import audit_words
from workbench.web.wording.audit_words import (
    ACTION_WORDS,
    DETAIL_WORDS,
    action_word,
    detail_words,
    subject_word,
)
from workbench.web.wording.i18n import catalogue

NAMED = {IN_FORCE, LABELLED, TAKEN_BACK, DECIDED, f"{DECIDED} new", f"{DECIDED} since"}
"""Actions that are constants where they are recorded."""
SPREAD = {"after_labels", "at", "zone", "labelled", "left_out", "stored", "lost", "counts", "rounds", "adaptations"} | {
    "quick", "base", "automatic", "wanted", "ruling", "previous", "rolled_back", "rows", "fingerprint",
}  # fmt: skip
"""Details that are recorded from a mapping."""


def calls() -> Iterator[ast.Call]:
    for path in Path(str(workbench.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and len(node.args) >= 5:
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                if name == "record":
                    yield node


def test_every_action_that_is_recorded_has_a_word_and_no_other() -> None:
    literals = {node.args[3].value for node in calls() if isinstance(node.args[3], ast.Constant)}
    assert len(literals) > 25
    assert literals | NAMED == set(ACTION_WORDS)


def test_every_detail_that_is_recorded_has_a_word_and_no_other() -> None:
    keywords = {keyword.arg for node in calls() for keyword in node.keywords if keyword.arg is not None}
    assert (keywords | SPREAD) - {"settings"} == set(DETAIL_WORDS)


@pytest.fixture
def chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_words, "_", catalogue("zh").gettext)


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(
    ("action", "subject", "words"),
    [
        ("start round", "round 12", "第 12 轮"),
        ("set thresholds", "version 3", "第 3 版"),
        ("refused", "read the audit", "查看审计日志"),
        ("label many", "violation", "违规"),
        ("sign out", "kAwXSD8vyI", ""),
        ("sign in refused", "unknown name", "未知姓名"),
        ("import", "round 1 of many.tsv", "round 1 of many.tsv"),
        ("import", "violation", "violation"),
        ("of another version", "x", "x"),
    ],
)
def test_a_subject_of_the_code_is_a_word(action: str, subject: str, words: str) -> None:
    assert subject_word(action, subject) == words


@pytest.mark.usefixtures("chinese")
@pytest.mark.parametrize(
    ("action", "detail", "words"),
    [
        ("change role", {"was": "annotator", "now": "lead"}, "之前：标注员 · 现在：组长"),
        ("start round", {"quick": True, "base": "starter", "reason": None}, "试跑：是 · 基础编码器：starter"),
        ("decide", {"imports": [1, 1204], "policy": 2}, "导入：1, 1,204 · 阈值版本：2"),
        ("set thresholds", {"band": [0.4, 0.6]}, "区间：0.4, 0.6"),
        ("purge", {"counts": {"posts": 1200}, "rounds": []}, "已删除：posts 1,200 · 用它们训练过的轮次：–"),
        (
            "settings in force",
            {
                "changed": ["port", "public_url"],
                "settings": {"port": 8501, "public_url": None, "host": "box"},
            },
            "port：8501 · public_url：–",
        ),
        ("of another version", {"odd": {"a": None}}, "odd：a –"),
    ],
)
def test_details_are_one_line(action: str, detail: dict[str, Any], words: str) -> None:
    assert detail_words(action, detail) == words


@pytest.mark.usefixtures("chinese")
def test_an_action_of_another_version_is_shown_as_it_is() -> None:
    assert (action_word("start round"), action_word("of another version")) == (
        "开始新一轮",
        "of another version",
    )
