"""Sentences written elsewhere are recognised as they are written today."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from db.tables import Round
from tests.workbench.making import write_tsv
from trainer import errors
from trainer.children import failure_reason
from trainer.labels import LABELS
from trainer.statistics.comparison import compare
from workbench import accounts
from workbench.accounts import Account
from workbench.errors import RoundError, WorkbenchError
from workbench.imports.incoming import files_in, folder_of
from workbench.imports.intake import import_rows
from workbench.imports.storing import store_waiting
from workbench.imports.tsv import LONGEST_TEXT, Reject, open_tsv
from workbench.project import Project
from workbench.rounds import gate, lifecycle
from workbench.web.wording import sentences, words
from workbench.web.wording.i18n import catalogue
from workbench.web.wording.refusals import refusal_in
from workbench.worker import steps
from workbench.worker.attempts import MOST_STEP_ATTEMPTS, SupersededError, begin


@pytest.fixture(autouse=True)
def in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (sentences, words):
        monkeypatch.setattr(module, "_", catalogue("zh").gettext)


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


@pytest.mark.parametrize("shape", sentences.SHAPES)
def test_every_shape_finds_its_own_sentence(shape: str) -> None:
    """One that could not be read would take every page down on which a sentence is retold."""
    names = set(re.findall(r"\{(\w+)\}", shape))
    sentence = shape.format(**{name: f"<{name}>" for name in names})
    assert is_chinese(sentences.retold(sentence))


def test_who_worked_by_command_is_no_persons_name(project: Project, lead: Account) -> None:
    by_command = accounts.command_line(project)
    assert is_chinese(words.person_word(by_command.name))
    assert words.person_word("Ann") == "Ann"
    refused = RoundError(
        "Round {number} is already under way, started by {name}. Wait for it or cancel it.",
        number=1,
        name=by_command.name,
    )
    assert by_command.name not in refusal_in(refused, "zh")


def test_an_unknown_sentence_is_shown_as_it_is() -> None:
    assert sentences.retold("CUDA out of memory {x}") == "CUDA out of memory {x}"


ROUND_ROOMS = (
    "adapters/card",
    "adapters/encoder",
    "adapters/folders",
    "files",
    "fitting/training",
    "scoring/scorer",
    "scoring/sweep",
)
OURS = {name for name in vars(errors) if name.endswith("Error")} | {"StoppedError"}
ONLY_BY_COMMAND = ("eight_bit", "only an adapter that is not merged")
"""What no round of a project asks for."""


def raised_in(module: str) -> Iterator[str]:
    """Every sentence this room of the trainer refuses with, its blanks filled with a word."""
    path = Path(errors.__file__).parent / f"{module}.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            match node.exc.func, node.exc.args[0]:
                case ast.Name(id=name), ast.Constant(value=str(text)) if name in OURS:
                    yield text
                case ast.Name(id=name), ast.JoinedStr(values=parts) if name in OURS:
                    yield "".join(part.value if isinstance(part, ast.Constant) else "x-1" for part in parts)


@pytest.mark.parametrize("module", ROUND_ROOMS)
def test_whatever_the_trainer_refuses_a_round_with_is_told_in_chinese(module: str) -> None:
    sentences_there = [
        text for text in raised_in(module) if not any(part in text for part in ONLY_BY_COMMAND)
    ]
    assert sentences_there
    for sentence in sentences_there:
        told = sentences.retold(f"Training failed: {sentence}")
        assert is_chinese(told.partition("：")[2]), told


def test_what_the_worker_says_of_a_failed_round_is_told_in_chinese(project: Project, lead: Account) -> None:
    for status in (-9, 3):
        told = sentences.retold(f"Evaluating failed: {failure_reason('', status)}")
        assert told.startswith("评估失败：")
        assert is_chinese(told.partition("：")[2])
        assert str(abs(status)) in told
    values = {"state": "queued", "is_running": True, "is_quick": True, "base": "starter"}
    with project.database.write() as session:
        session.add(Round(number=1, created_at=project.now(), started_by_id=lead.id, **values))
    for _ in range(MOST_STEP_ATTEMPTS):
        begin(project, 1, "training")
    with pytest.raises(SupersededError):
        begin(project, 1, "training")
    with project.database.read() as session:
        failure = lifecycle.find(session, 1).failure
    assert sentences.retold(str(failure)) == "后台程序在“训练中”时中断了 3 次，请看日志。"


@pytest.mark.parametrize("step", [steps.export, steps.score, steps.promote, steps.judge, steps.admit])
def test_a_step_that_breaks_is_named_in_chinese(step: steps.Step) -> None:
    told = sentences.retold(f"{step.__name__} failed: OSError: [Errno 28] No space left on device")
    assert is_chinese(told)
    assert told.endswith("OSError: [Errno 28] No space left on device")


def test_what_an_import_lacks_is_told_in_chinese(project: Project, lead: Account) -> None:
    with open_tsv(write_tsv(project.home / "a.tsv", [{"text": "a"}])) as source:
        import_rows(project, lead, source)
    (file,) = files_in(folder_of(project, 1))
    file.unlink()
    with pytest.raises(WorkbenchError) as refused:
        store_waiting(project)
    assert is_chinese(sentences.retold(str(refused.value)))
