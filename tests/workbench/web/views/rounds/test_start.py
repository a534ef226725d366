"""The form that starts a round: what it uses and how long it takes; a running round; a failed one."""

from html import unescape

import pytest
from sqlalchemy import select

from db.tables import AuditEntry, Round
from tests.workbench.making import add_label, different_texts, import_texts, ready_queue
from tests.workbench.rounds.test_durations import report
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.views.rounds.test_page import add_round, html_of, open_screen, press, shown
from trainer.labels import LABELS
from trainer.messages import Message
from workbench.accounts import Account
from workbench.errors import RoundError
from workbench.exports import jsonl
from workbench.labelling import answers
from workbench.project import Project
from workbench.rounds import lifecycle


@pytest.fixture
def labelled_posts(project: Project, lead: Account) -> dict[str, int]:
    ready_queue(project, lead, 60)
    given = dict.fromkeys(("normal", "violation"), 0)
    for number in range(40):
        card = answers.hold_posts(project, lead)[0]
        label = "normal" if number % 3 else "violation"
        answers.submit(project, lead, card.post_id, label)
        given[label] += 1
    return given


def test_the_labels_it_would_use_are_counted(
    project: Project, lead: Account, visit_as: VisitAs, labelled_posts: dict[str, int]
) -> None:
    visit_as(lead)
    table = next(body for body in htmls(open_screen()) if "it learns from" in body)
    numbers = [int(cell.partition("<")[0]) for cell in table.split('<td class="number">')[1:]]
    rows = [numbers[at : at + 4] for at in (0, 4, 8)]
    with project.database.read() as session:
        written = [(post.split, post.line["label"]) for post in jsonl.labelled_posts(session, 1)]
    assert rows == [
        [*(written.count((split, label)) for label in LABELS), sum(split == one for one, _ in written)]
        for split in ("train", "validation", "test")
    ]
    assert sum(labelled_posts.values()) >= len(written) > 30


def test_labels_it_cannot_use_yet_are_counted(project: Project, lead: Account, visit_as: VisitAs) -> None:
    import_texts(project, lead, different_texts(3))
    for post in (1, 2):
        add_label(project, lead, post, "normal")
    visit_as(lead)
    assert "not used yet: 2 wait for the worker to prepare them." in shown(open_screen())


def htmls(app: object) -> list[str]:
    return [element.proto.body for element in app.get("html")]  # type: ignore[attr-defined]


def test_the_time_it_takes_is_that_of_an_earlier_round_or_said_to_be_unknown(
    project: Project, lead: Account, visit_as: VisitAs, labelled_posts: dict[str, int]
) -> None:
    visit_as(lead)
    assert "trial: none has been trained yet" in shown(open_screen())
    scored = {"n": 60, "seconds": 1.0, "posts_per_second": 60.0}
    add_round(project, lead, 1, "promoted", report=report(20, 240.0), scored=scored)
    text = shown(open_screen())
    assert "trial: none has been trained yet" in text
    assert "min on the processor (as round 1 took)" in text


def test_another_base_is_the_rounds_own(
    project: Project, lead: Account, visit_as: VisitAs, labelled_posts: dict[str, int]
) -> None:
    visit_as(lead)
    app = open_screen()
    choice = next(field for field in app.selectbox if field.key == "base")
    assert choice.options == ["starter", "hfl/chinese-roberta-wwm-ext"]
    choice.set_value("hfl/chinese-roberta-wwm-ext")
    next(field for field in app.text_input if field.key == "notes").set_value("with another base")
    press(app, "FormSubmitter:start-Start a round")
    with project.database.read() as session:
        row = lifecycle.find(session, 1)
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "start round")).one()
    assert entry.detail["base"] == "hfl/chinese-roberta-wwm-ext"
    notes = Message.verbatim("with another base").to_dict()
    assert (row.base, row.notes, row.state) == ("hfl/chinese-roberta-wwm-ext", notes, "queued")


@pytest.mark.parametrize("base", ["/etc", "/etc/shadow", "owner/huge-model", "../..", " starter", ""])
def test_a_base_that_the_settings_do_not_name_is_refused_without_a_look_at_it(
    project: Project, lead: Account, labelled_posts: dict[str, int], base: str
) -> None:
    if not base:
        assert lifecycle.start(project, lead, base=base) == 1  # the project's own
        return
    with pytest.raises(RoundError, match="is not among the base encoders of this project: starter, hfl/"):
        lifecycle.start(project, lead, base=base)


def test_the_running_step_tells_time_left_and_the_memory_of_a_gpu(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    add_round(project, lead, 1, "training", is_running=True, finished_at=None, report=None)
    file = lifecycle.progress_file(project, 1, "training")
    file.parent.mkdir(parents=True)
    line = '{"step": 5, "steps": 20, "loss": 1.5, "seconds_left": 75.0, "gpu_used": 3.1, "gpu_total": 79.6}\n'
    file.write_text(line, encoding="utf-8")
    visit_as(lead)
    app = open_screen()
    (bar,) = app.get("progress")
    assert bar.proto.value == 25
    assert "this step about 01:15 more · GPU memory 3.1 of 80 GiB" in bar.proto.text


def test_a_failed_round_says_why_in_the_readers_language_with_its_log(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    reason = Message("the system ended it with signal {signal} (out of memory?)", signal=9)
    failure = Message("{step} failed: {reason}", step="Training", reason=reason)
    add_round(project, lead, 1, "failed", report=None, failure=failure.to_dict())
    folder = lifecycle.log_folder(project, 1)
    folder.mkdir(parents=True)
    (folder / "training.log").write_text("the last words <b>", encoding="utf-8")
    visit_as(lead, language="zh")
    app = open_screen()
    assert "第 1 轮：训练失败：系统以信号 9 结束了它（内存不足？）" in shown(app)
    assert str(failure) not in unescape(html_of(app))
    assert [code.value for code in app.code] == ["the last words <b>"]


def test_a_failure_of_long_ago_is_not_on_top_any_more(
    project: Project, lead: Account, visit_as: VisitAs
) -> None:
    add_round(
        project,
        lead,
        1,
        "failed",
        report=None,
        failure=Message("Training failed: it ended with status 3").to_dict(),
    )
    project.now.move(minutes=5)  # type: ignore[attr-defined]
    add_round(project, lead, 2, "rejected")
    visit_as(lead)
    assert "Round 1: Training failed" not in shown(open_screen())
    with project.database.write() as session:
        session.get_one(Round, 1).finished_at = project.now()
        session.get_one(Round, 2).finished_at = None
    assert "Round 1: Training failed" in shown(open_screen())
