"""Sentences written elsewhere are recognised as they are written today."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.workbench.making import write_tsv
from trainer.comparison import compare
from trainer.config import LABELS
from workbench import gate
from workbench.tsv import LONGEST_TEXT, Reject, open_tsv
from workbench.web import sentences
from workbench.web.i18n import catalogue


@pytest.fixture(autouse=True)
def in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentences, "_", catalogue("zh").gettext)


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def one_hot(labels: list[int]) -> NDArray[np.float64]:
    return np.eye(3)[labels]


TRUTH = [0, 1, 2] * 400
NAMES = [LABELS[at] for at in TRUTH]
REPORTS = {
    "worse": compare(one_hot(TRUTH), one_hot([0] * 1200), NAMES, rng=np.random.default_rng(0)),
    "alike": compare(one_hot(TRUTH), one_hot(TRUTH), NAMES, rng=np.random.default_rng(0)),
    "undecided": compare(
        one_hot([0, *TRUTH[1:6], 1, *TRUTH[7:]]),
        one_hot([0, 0, *TRUTH[2:]]),
        NAMES,
        rng=np.random.default_rng(0),
    ),
    "boastful": compare(
        one_hot([*TRUTH[1:301], *TRUTH[300:]]) * 0.625 + 0.125,
        one_hot([*TRUTH[1:151], *TRUTH[150:]]),
        NAMES,
        rng=np.random.default_rng(0),
    ),
    "no violations": compare(
        one_hot([0, 1] * 9), one_hot([0, 0] * 9), ["normal", "suspicious"] * 9, rng=np.random.default_rng(0)
    ),
}


@pytest.mark.parametrize("name", REPORTS)
def test_the_reasons_of_a_verdict(name: str) -> None:
    verdict = gate.judge({"comparison": REPORTS[name].to_dict()}, is_first=False)
    assert verdict.reasons
    assert [reason for reason in verdict.reasons if not is_chinese(sentences.retold(reason))] == []


@pytest.mark.parametrize(
    ("report", "is_first"),
    [({}, True), ({}, False), ({"metrics": {"macro_f1": 0.5}, "linear": {"macro_f1": 0.6}}, True)],
)
def test_verdicts_without_a_comparison(report: dict[str, object], is_first: bool) -> None:
    verdict = gate.judge(report, is_first=is_first)
    lines = [*verdict.reasons, *verdict.warnings]
    assert [line for line in lines if not is_chinese(sentences.retold(line))] == []


def test_the_reasons_of_unreadable_rows(tmp_path: Path) -> None:
    rows = [{"id": "1", "text": ""}, {"id": "", "text": "好"}, {"id": "3", "text": "长" * (LONGEST_TEXT + 1)}]
    file = write_tsv(tmp_path / "posts.tsv", rows)
    file.write_text(file.read_text(encoding="utf-8") + "one cell\n", encoding="utf-8")
    with open_tsv(file) as source:
        reasons = [entry.reason for entry in source if isinstance(entry, Reject)]
    assert len(reasons) == 4
    assert [reason for reason in reasons if not is_chinese(sentences.retold(reason))] == []


def test_an_unknown_sentence_is_shown_as_it_is() -> None:
    assert sentences.retold("CUDA out of memory {x}") == "CUDA out of memory {x}"
