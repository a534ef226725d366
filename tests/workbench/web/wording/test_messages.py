"""Messages that other packages raise and store are shown in the reader's language."""

import json
import string
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from db.tables import Import
from tests.workbench.making import add_round, write_tsv
from tests.workbench.web.wording.test_i18n import blanks, templates
from trainer.errors import AdapterError
from trainer.labels import LABELS
from trainer.messages import Message
from trainer.reading.rejects import Reject, RejectCode
from trainer.reading.rows import LONGEST_TEXT
from trainer.running.progress import reason_of
from trainer.statistics.comparison import compare
from trainer.statistics.evidence import Evidence
from trainer.statistics.gain import Gain
from workbench import accounts
from workbench.accounts import Account
from workbench.errors import InputError, RoundError, WorkbenchError
from workbench.imports.incoming import files_in, folder_of
from workbench.imports.intake import import_rows
from workbench.imports.storing import store_waiting
from workbench.imports.tsv import open_tsv
from workbench.project import Project
from workbench.rounds import gate, lifecycle
from workbench.web.wording import words
from workbench.web.wording.i18n import catalogue
from workbench.web.wording.messages import message_in
from workbench.web.wording.refusals import refusal_in
from workbench.worker.attempts import MOST_STEP_ATTEMPTS, SupersededError, begin
from workbench.worker.failures import guarded, prepare_guarded
from workbench.worker.scoring_steps import prepare_import
from workbench.worker.steps import Steps


@pytest.fixture(autouse=True)
def in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "_", catalogue("zh").gettext)


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def in_english(messages: list[Message]) -> list[Message]:
    return [message for message in messages if not is_chinese(message_in(message, "zh"))]


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


PROVEN, UNPROVEN = Gain(0.6, 0.3, (0.1, 0.4)), Gain(0.4, 0.5, (-0.2, 0.1))
DOUBTED = Evidence(posts=200, violations=40, linear=UNPROVEN, majority=UNPROVEN)
EVIDENCE = {"evidence": {"test": replace(DOUBTED, linear=PROVEN, majority=PROVEN).to_dict()}}


@pytest.mark.parametrize("name", REPORTS)
def test_the_reasons_of_a_verdict(name: str) -> None:
    comparison = json.loads(json.dumps(REPORTS[name].to_dict()))
    verdict = gate.judge({"comparison": comparison} | EVIDENCE, is_first=False)
    assert verdict.reasons == REPORTS[name].reasons
    assert verdict.reasons
    assert in_english([*verdict.reasons]) == []


def kept(test: Evidence | None, folded: Evidence | None = None) -> dict[str, object]:
    return {
        "evidence": {
            name: None if found is None else found.to_dict()
            for name, found in (("test", test), ("out_of_fold", folded))
        }
    }


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    "report", [{}, kept(None), kept(DOUBTED), kept(replace(DOUBTED, posts=3), replace(DOUBTED, posts=3))]
)
def test_verdicts_without_proof(report: dict[str, object], is_first: bool) -> None:
    report = report if is_first else report | {"comparison": REPORTS["alike"].to_dict()}
    verdict = gate.judge(report, is_first=is_first)
    assert verdict.reasons
    assert in_english([*verdict.reasons, *verdict.warnings]) == []


def test_pages_do_not_speak_of_a_champion() -> None:
    for report in REPORTS.values():
        shown = message_in(Message.joined(report.reasons), "en")
        assert "champion" not in shown
    verdict = gate.judge(EVIDENCE, is_first=True)
    assert message_in(verdict.reasons[0], "en") == "nothing was in use to compare with"


def test_the_reasons_of_unreadable_rows(tmp_path: Path) -> None:
    rows = [{"id": "1", "text": ""}, {"id": "", "text": "好"}, {"id": "3", "text": "长" * (LONGEST_TEXT + 1)}]
    file = write_tsv(tmp_path / "posts.tsv", rows)
    file.write_text(file.read_text(encoding="utf-8") + "one cell\n", encoding="utf-8")
    with open_tsv(file) as source:
        rejects = [entry for entry in source if isinstance(entry, Reject)]
    known_otherwise = Reject(5, RejectCode.OTHER_TEXT, "", "p7")
    without_values = (
        RejectCode.HEADER,
        RejectCode.NOT_JSON,
        RejectCode.ID_KIND,
        RejectCode.TEXT_KIND,
        RejectCode.SURROGATE,
    )
    others = [
        *(Reject(6, code, "") for code in without_values),
        Reject(7, RejectCode.QUOTES, "", values={"opened": 6}),
        Reject(8, RejectCode.BYTES, "", values={"encoding": "utf-8", "place": 9}),
        Reject(9, RejectCode.ROUNDED, "", values={"id": "1230000000000000"}),
        Reject(9, RejectCode.REPEATED_KEY, "", values={"key": "a"}),
        Reject(9, RejectCode.LONG_CELL, "", values={"length": 9, "column": "a", "most": 8}),
    ]
    every = [*rejects, *others, known_otherwise]
    assert {reject.code for reject in every} == {*RejectCode} - {RejectCode.AS_WRITTEN}
    assert in_english([reject.reason for reject in every]) == []
    assert "p7" in message_in(known_otherwise.reason, "zh")


def has_words(template: str) -> bool:
    """Whether anything but blanks and punctuation is left to translate."""
    return any(text.strip(" .,:") for text, *_ in string.Formatter().parse(template))


@pytest.mark.parametrize("template", sorted(templates()))
def test_every_message_can_be_filled_in_chinese(template: str) -> None:
    """A translation that fails to format would break every page that shows it."""
    values = {name: 7 if f"{{{name}:" in template else f"<{name}>" for name in blanks(template)}
    shown = message_in(Message(template, **values), "zh")
    assert is_chinese(shown) or not has_words(template)
    assert [name for name, value in values.items() if str(value) not in shown] == []


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


@pytest.mark.parametrize("text", ["CUDA out of memory {x}", "no text", "command line"])
def test_what_a_person_or_a_foreign_program_wrote_is_shown_as_it_is(text: str) -> None:
    assert message_in(Message.verbatim(text), "zh") == text


def test_a_sentence_stored_by_an_older_version_is_shown() -> None:
    assert message_in(Message("CUDA out of memory {x}"), "zh") == "CUDA out of memory {x}"
    assert is_chinese(message_in(Message("no text"), "zh"))
    assert message_in(
        Reject(3, RejectCode.AS_WRITTEN, "", None, {"sentence": "the {moon}"}).reason, "zh"
    ) == ("the {moon}")


def test_a_refusal_within_a_refusal_is_told_in_the_same_language() -> None:
    inner = AdapterError("{folder}: no such adapter folder", folder="x")
    shown = refusal_in(InputError("The posts could not be kept: {reason}.", reason=inner), "zh")
    assert message_in(inner.message, "zh") in shown
    assert str(inner) not in shown


def test_what_the_worker_says_of_a_failed_round_is_told_in_chinese(
    project: Project, lead: Account, tmp_path: Path
) -> None:
    for status in (-9, 3):
        reason = reason_of(tmp_path / "progress.jsonl", "", status)
        shown = message_in(Message("{step} failed: {reason}", step="Evaluating", reason=reason), "zh")
        assert shown.startswith("评估失败：")
        assert is_chinese(shown.partition("：")[2])
        assert str(abs(status)) in shown
    add_round(project, lead, state="queued", is_running=True)
    for _ in range(MOST_STEP_ATTEMPTS):
        begin(project, 1, "training")
    with pytest.raises(SupersededError):
        begin(project, 1, "training")
    assert failure_in_chinese(project) == "后台进程在“训练中”时中断了 3 次，请看日志。"


@pytest.mark.parametrize("step", [field.name for field in fields(Steps)])
def test_a_step_that_breaks_is_named_in_chinese(project: Project, lead: Account, step: str) -> None:
    def breaking(_project: Project, _number: int) -> str:
        raise OSError(28, "No space left on device")

    add_round(project, lead, state="queued", is_running=True)
    assert guarded(project, 1, step, breaking) == "failed"
    step_word, _, reason = failure_in_chinese(project).partition("：")
    assert is_chinese(step_word)
    assert step not in step_word
    assert reason == "OSError: [Errno 28] No space left on device"


def test_what_a_step_refuses_is_stored_as_it_was_raised(project: Project, lead: Account) -> None:
    def refusing(_project: Project, _number: int) -> str:
        raise AdapterError("{folder}: no such adapter folder", folder="{x}")

    add_round(project, lead, state="queued", is_running=True)
    assert guarded(project, 1, "score", refusing) == "failed"
    assert failure_in_chinese(project) == "{x}：没有这个模型文件夹"


def test_what_an_import_lacks_is_told_in_chinese(project: Project, lead: Account) -> None:
    with open_tsv(write_tsv(project.home / "a.tsv", [{"text": "a"}])) as source:
        import_rows(project, lead, source)
    (file,) = files_in(folder_of(project, 1))
    file.unlink()
    with pytest.raises(WorkbenchError) as refused:
        store_waiting(project)
    assert is_chinese(refusal_in(refused.value, "zh"))
    assert prepare_guarded(project, 1, prepare_import) == "failed"
    with project.database.read() as session:
        failure = session.get_one(Import, 1).failure
    assert failure == refused.value.message.to_dict()


def failure_in_chinese(project: Project) -> str:
    with project.database.read() as session:
        failure = lifecycle.find(session, 1).failure
    assert failure is not None
    return message_in(Message.from_dict(failure), "zh")
