"""A round in a worker without a model: finished, cancelled, killed, refused. `test_real_round.py` has a model."""

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from db.tables import Import, QueueEntry, Round
from tests.workbench.making import (
    add_label,
    add_round,
    different_texts,
    import_texts,
    make_champion,
    posts_of,
    ready_queue,
    write_tsv,
)
from tests.workbench.team import member
from tests.workbench.worker.fake_trainer import PATIENT
from tests.workbench.working import (
    TIMEOUT_SECONDS,
    assert_whole,
    champion,
    crashing_worker_of,
    fake_worker_of,
    round_of,
    running,
    trainers,
    wait_for_state,
    wait_until,
)
from trainer.messages import Message
from workbench import locks
from workbench.accounts import Account
from workbench.errors import NotAllowedError, RoundError
from workbench.imports import search_index
from workbench.imports.incoming import files_in, folder_of
from workbench.imports.intake import import_rows
from workbench.imports.tsv import open_tsv
from workbench.labelling import answers
from workbench.locks import WORK
from workbench.overview import radar_scan
from workbench.project import Project
from workbench.queue import swap
from workbench.queue.quick_plan import read_pool_labels
from workbench.queue.status import read_status
from workbench.rounds import lifecycle
from workbench.rounds.automatic import rules
from workbench.rounds.automatic.schedule import Rule
from workbench.scores.round_scores import RoundScores, Scores
from workbench.worker import __main__ as worker
from workbench.worker import scoring_steps, steps
from workbench.worker.attempts import GO, MOST_STEP_ATTEMPTS, Step, SupersededError, begin
from workbench.worker.due import is_work_left
from workbench.worker.failures import prepare_guarded

KILLS = [
    ("export", "after"), ("train", "before"), ("train", "after"), ("evaluate", "after"),
    ("judge", "after"), ("score", "after"), ("weigh", "before"), ("weigh", "after"), ("promote", "after"),
]  # fmt: skip


def killed(project: Project, step: str, moment: str) -> dict[Path, int]:
    """A worker kills itself there. Returns when each exported file was written."""
    with running(crashing_worker_of(project, step, moment, is_fake=True)) as process:
        assert process.wait(TIMEOUT_SECONDS) == -signal.SIGKILL
    files = project.annotations.rglob("*.jsonl")
    return {path: path.stat().st_mtime_ns for path in files}


@pytest.mark.long
def test_killed_in_every_step_in_turn_each_worker_goes_on_from_that_step(
    labelled: Project, boss: Account
) -> None:
    number = lifecycle.start(labelled, boss, is_quick=True)
    _, *exported = [killed(labelled, step, moment) for step, moment in KILLS]
    with running(fake_worker_of(labelled)):
        row = wait_for_state(labelled, number, *lifecycle.SETTLED)
        assert (row.state, row.failure) == ("promoted", None)
    assert_whole(labelled)
    assert exported[0]
    assert all(files == exported[0] for files in exported), "a finished step was repeated"
    # One attempt at each of seven steps, and one more for each kill; a promotion that is done is not begun again.
    assert row.attempt == 7 + len(KILLS) - 1


@pytest.mark.ci
@pytest.mark.parametrize(("step", "moment"), KILLS)
def test_killed_in_any_step_it_goes_on_from_that_step(
    labelled: Project, boss: Account, step: str, moment: str
) -> None:
    number = lifecycle.start(labelled, boss, is_quick=True)
    before = killed(labelled, step, moment)
    with running(fake_worker_of(labelled)):
        row = wait_for_state(labelled, number, *lifecycle.SETTLED)
        assert (row.state, row.failure) == ("promoted", None)
    assert_whole(labelled)
    if step != "export":
        assert before == {path: path.stat().st_mtime_ns for path in before}, "a finished step was repeated"


@pytest.mark.ci
def test_a_worker_killed_in_training_takes_its_child_along(labelled: Project, boss: Account) -> None:
    """As does the real one, in `test_real_round.py`."""
    number = lifecycle.start(labelled, boss, base=PATIENT)
    with running(fake_worker_of(labelled)) as process:
        wait_until(lambda: bool(trainers(labelled)), "a training process")
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: not trainers(labelled), "the training process to end")
    assert round_of(labelled, number).state == "training"


def test_a_cancelled_round_stops_and_changes_nothing(labelled: Project, boss: Account) -> None:
    number = lifecycle.start(labelled, boss, base=PATIENT)
    with running(fake_worker_of(labelled)):
        wait_until(lambda: bool(trainers(labelled)), "a training process")
        lifecycle.cancel(labelled, boss, number)
        wait_until(lambda: not trainers(labelled), "the training process to end")
    assert round_of(labelled, number).state == "cancelled"
    assert champion(labelled) is None
    assert not labelled.round_folder(number).exists()


def test_a_failing_training_says_why_in_one_sentence(labelled: Project, boss: Account) -> None:
    number = lifecycle.start(labelled, boss, base="no/such-encoder", is_quick=True)
    with running(fake_worker_of(labelled)):
        row = wait_for_state(labelled, number, *lifecycle.SETTLED)
    assert row.state == "failed"
    assert row.failure is not None
    failure = Message.from_dict(row.failure)
    assert str(failure).startswith("Training failed: no/such-encoder")
    reason = failure.values["reason"]
    assert isinstance(reason, Message)
    assert reason.values["name"] == "no/such-encoder"
    assert champion(labelled) is None


def test_the_same_adapter_again_awaits_the_lead_who_may_promote_and_roll_back(
    labelled: Project, boss: Account
) -> None:
    with running(fake_worker_of(labelled)):
        wait_for_state(labelled, lifecycle.start(labelled, boss, is_quick=True), "promoted")
        second = lifecycle.start(labelled, boss, is_quick=True)
        row = wait_for_state(labelled, second, *lifecycle.SETTLED)
        assert row.state == "awaiting", row.failure
        assert row.verdict
        assert row.verdict["outcome"] == "undecided"
        lifecycle.promote(labelled, boss, second, "a newer one")
        wait_for_state(labelled, second, "promoted")
        assert champion(labelled) == second
        assert lifecycle.rollback(labelled, boss) == 1
        wait_until(lambda: champion(labelled) == 1, "the rollback")
    with pytest.raises(RoundError, match="no earlier adapter"):
        lifecycle.rollback(labelled, boss)


def test_a_broken_adapter_is_not_put_in_use_and_its_round_keeps_its_state(
    labelled: Project, boss: Account
) -> None:
    with running(fake_worker_of(labelled)):
        wait_for_state(labelled, lifecycle.start(labelled, boss, is_quick=True), "promoted")
        second = lifecycle.start(labelled, boss, is_quick=True)
        wait_for_state(labelled, second, "awaiting")
        weights = labelled.round_folder(second) / "adapter_model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
        lifecycle.promote(labelled, boss, second)
        wait_until(lambda: round_of(labelled, second).failure is not None, "the promotion to fail")
    assert round_of(labelled, second).state == "awaiting"
    assert champion(labelled) == 1


def test_only_the_newest_attempt_of_a_step_is_listened_to(labelled: Project, boss: Account) -> None:
    number = lifecycle.start(labelled, boss)
    late = begin(labelled, number, "training")
    newest = begin(labelled, number, "training")
    assert not late.is_wanted()
    with pytest.raises(SupersededError), late.finish(state="promoted"):
        pytest.fail("the late attempt must not commit")
    with newest.finish():
        pass
    assert round_of(labelled, number).state == "training"


@pytest.mark.parametrize("step", [steps.judge, steps.weigh])
def test_a_decision_repeated_after_a_crash_undoes_no_promotion(
    project: Project, lead: Account, step: Step
) -> None:
    """The lead decided between the crash and the next worker."""
    add_round(project, lead, state="awaiting", report={}, verdict={"reasons": []})
    lifecycle.promote(project, lead, 1)
    with pytest.raises(SupersededError):
        step(project, 1)
    assert (round_of(project, 1).state, round_of(project, 1).is_running) == ("scoring", True)
    begin(project, 1, "scoring", serves_promotion=True)


def test_a_step_that_keeps_taking_the_worker_down_ends_the_round(labelled: Project, boss: Account) -> None:
    number = lifecycle.start(labelled, boss)
    for _ in range(MOST_STEP_ATTEMPTS):
        begin(labelled, number, "training")
    with pytest.raises(SupersededError):
        begin(labelled, number, "training")
    row = round_of(labelled, number)
    assert (row.state, row.is_running) == ("failed", False)
    assert "stopped 3 times while training" in str(Message.from_dict(row.failure or {}))


def numbers_of_rounds(project: Project) -> list[int]:
    with project.database.read() as session:
        return list(session.scalars(select(Round.number)))


IMPATIENT_WORKER = """
import sys
from tests.workbench.worker import fake_worker
from workbench.worker import __main__ as worker
fake_worker.replace_children()
worker.LOOK_SECONDS = 0.1
sys.exit(worker.main())
"""


def test_a_worker_starts_the_round_that_is_due_and_no_second_one(labelled: Project, boss: Account) -> None:
    rules.set_rule(labelled, boss, Rule(after_labels=100))
    command = [sys.executable, "-c", IMPATIENT_WORKER, "--home", str(labelled.home), "--watch-stdin"]
    with running(command) as process:
        wait_until(lambda: numbers_of_rounds(labelled) != [], "a round to start by itself")
        row = wait_for_state(labelled, 1, *lifecycle.SETTLED)
        assert process.poll() is None
    assert numbers_of_rounds(labelled) == [1]
    assert rules.start_due(labelled) is None
    assert (row.state, row.failure, row.is_automatic, row.started_by_id) == ("promoted", None, True, boss.id)
    assert row.labels_until is not None
    assert row.labels_until >= row.created_at


def test_a_late_worker_changes_nothing(labelled: Project, boss: Account) -> None:
    """Suspended in training until after a cancel, it resumes, ends its child, and its results are ignored."""
    number = lifecycle.start(labelled, boss, base=PATIENT)
    with running(fake_worker_of(labelled)) as process:
        wait_until(lambda: bool(trainers(labelled)), "a training process")
        process.send_signal(signal.SIGSTOP)
        lifecycle.cancel(labelled, boss, number)
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: not trainers(labelled), "the training process to end")
    assert round_of(labelled, number).state == "cancelled"
    assert champion(labelled) is None


def test_twenty_leads_at_once_get_one_round(labelled: Project, boss: Account) -> None:
    together = threading.Barrier(20)

    def press() -> int | str:
        together.wait()
        try:
            return lifecycle.start(labelled, boss)
        except RoundError as error:
            return str(error)

    with ThreadPoolExecutor(20) as pool:
        answers = [future.result() for future in [pool.submit(press) for _ in range(20)]]
    assert [answer for answer in answers if isinstance(answer, int)] == [1]
    assert all("started by command line" in answer for answer in answers if isinstance(answer, str))


def test_annotators_may_not_run_rounds(labelled: Project, boss: Account) -> None:
    annotator = member(labelled, "Ann", "annotator")
    for action in (
        lambda: lifecycle.start(labelled, annotator),
        lambda: lifecycle.cancel(labelled, annotator, 1),
        lambda: lifecycle.promote(labelled, annotator, 1),
        lambda: lifecycle.reject(labelled, annotator, 1),
    ):
        with pytest.raises(NotAllowedError, match="Ann may not do this"):
            action()


@pytest.mark.parametrize(("scored", "is_left"), [(30, True), (40, False)])
def test_a_new_worker_sees_the_posts_an_earlier_one_failed_to_score(
    project: Project, lead: Account, scored: int, is_left: bool
) -> None:
    ready_queue(project, lead, 40)
    make_champion(project, lead, np.full((scored, 3), 1 / 3))
    with project.database.read() as session:
        assert is_work_left(session, project) is is_left


def test_a_new_worker_sees_the_posts_that_no_search_finds_yet(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "index_missing", lambda _project: 0)
    ready_queue(project, lead, 5)
    with project.database.read() as session:
        assert is_work_left(session, project)
    monkeypatch.undo()
    search_index.index_missing(project)
    with project.database.read() as session:
        assert not is_work_left(session, project)


@pytest.mark.parametrize("before", [None, {"macro_f1": 0.7}])
def test_an_adapter_that_could_not_be_measured_is_measured_beside_the_next_one(
    project: Project, lead: Account, before: dict[str, float] | None
) -> None:
    ready_queue(project, lead, 40)
    make_champion(project, lead, np.full((40, 3), 1 / 3))
    report = {"rows": 60, "test_sha256": "f0", "metrics": {"macro_f1": 0.5}}
    no_rows, below = (Message(text).to_dict() for text in ("no test rows", "below the baseline"))
    with project.database.write() as session:
        row = session.get_one(Round, 1)
        row.report = {"metrics": before, "warnings": [no_rows], "rows": 0}
        row.verdict = {"decision": "promote", "warnings": [no_rows, below]}
        steps.fill_in(session, 1, report)  # without test rows
        steps.fill_in(session, 1, report | {"champion": {"macro_f1": 0.6}})
    with project.database.read() as session:
        row = session.get_one(Round, 1)
        stored_report, verdict = row.report, row.verdict
        assert stored_report is not None
        assert verdict is not None
        assert (no_rows in verdict["warnings"]) is (before is not None)
        assert below in verdict["warnings"]
        assert stored_report["metrics"] == (before or {"macro_f1": 0.6})
        assert (stored_report["rows"], stored_report["warnings"]) == ((0, [no_rows]) if before else (60, []))


@pytest.mark.parametrize(("label", "state"), [(0, "scoring"), (2, "awaiting")])
def test_scores_that_contradict_the_drawn_labels_leave_the_round_to_the_lead(
    project: Project, lead: Account, label: int, state: str
) -> None:
    """The gate promoted it provisionally; the champion's number has not moved yet."""
    ready_queue(project, lead, 400)
    for post in posts_of(project, "test"):
        add_label(project, lead, post, "normal", lane="held_out")
    before = {"decision": "promote", "outcome": "first", "reasons": [], "warnings": []}
    add_round(project, lead, state="scoring", is_running=True, report={}, verdict=before)
    ids = np.arange(1, 401, dtype=np.int64)
    RoundScores.of(project, 1).append(Scores(ids, np.tile(np.eye(3, dtype=np.float32)[label], (400, 1))))
    assert (steps.weigh(project, 1) == GO) is (state == "scoring")
    row = round_of(project, 1)
    assert (row.state, row.is_running, champion(project)) == (state, state == "scoring", None)
    if state == "awaiting":
        assert row.verdict is not None
        assert row.verdict["decision"] == "ask"
        assert "it calls 100.0% of all posts violation" in str(Message.from_dict(row.verdict["reasons"][-1]))
        lifecycle.promote(project, lead, 1)
        assert round_of(project, 1).state == "scoring"


@pytest.mark.ci
def test_before_the_first_round_a_quick_model_orders_the_queue_as_labels_come(
    labelled: Project, boss: Account
) -> None:
    """Loop, process and swap are real; the encoder is missing, so the model reads characters."""
    swap.rebuild(labelled)
    with labelled.database.read() as session:
        labels, every = len(read_pool_labels(session)), labelled.settings.quick_model_every
    with running(fake_worker_of(labelled)):
        wait_until(lambda: learned_from(labelled) >= labels, "the first order")
        for _ in range(2 * every):  # some are held out and teach no model
            answers.submit(labelled, boss, answers.hold_posts(labelled, boss)[0].post_id, "violation")
        wait_until(lambda: learned_from(labelled) >= labels + every, "the order after ten answers")
        # A preparation at the start of a worker may fill the queue anew; then it is ordered once more.
        wait_until(
            lambda: shown_in(labelled, "uncertain") == {(None, None)}, "posts without a model's scores"
        )


def learned_from(project: Project) -> int:
    return read_status(project).quick_labels or 0


def shown_in(project: Project, lane: str) -> set[tuple[int | None, float | None]]:
    query = select(QueueEntry.round_number, QueueEntry.normal).where(QueueEntry.lane == lane)
    with project.database.read() as session:
        return {(number, normal) for number, normal in session.execute(query)}


def test_a_failing_radar_stops_nothing(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_project: Project) -> None:
        raise RuntimeError("no words")

    monkeypatch.setattr(radar_scan, "watch", fail)
    scoring_steps._watch(project)
    assert "the radar failed" in caplog.text


def fail(*_: object, **__: object) -> None:
    raise OSError("no space left")


def test_posts_whose_queue_could_not_be_filled_are_taken_up_by_the_next_worker(
    project: Project, lead: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_texts(project, lead, different_texts(12))
    monkeypatch.setattr(scoring_steps, "vectors_of_posts", lambda _project: None)
    monkeypatch.setattr(scoring_steps, "tokenise_posts", fail)  # tokens ahead of time are optional
    with monkeypatch.context() as patched:
        patched.setattr(scoring_steps.swap, "rebuild", fail)
        assert prepare_guarded(project, 1, scoring_steps.prepare_import) == "failed"
    with project.database.read() as session:
        assert is_work_left(session, project)
    assert prepare_guarded(project, 1, scoring_steps.prepare_import) == GO
    with project.database.read() as session:
        assert not is_work_left(session, project)


def test_an_import_that_lacks_rows_is_told_and_the_others_reach_the_queue(
    project: Project, lead: Account
) -> None:
    rows = [{"id": f"p{at}", "text": text} for at, text in enumerate(different_texts(40))]
    for name, some in (("lost", rows[:10]), ("whole", rows[10:])):
        with open_tsv(write_tsv(project.home / f"{name}.tsv", some)) as source:
            import_rows(project, lead, source)
    (file,) = files_in(folder_of(project, 1))
    content = file.read_bytes()
    file.unlink()
    assert prepare_guarded(project, 1, scoring_steps.prepare_import) == "failed"
    with project.database.read() as session:
        failures = dict(session.execute(select(Import.file_name, Import.failure)).all())
        assert "holds 0 of the 10 rows" in str(Message.from_dict(failures["lost.tsv"]))
        assert failures["whole.tsv"] is None
        assert session.scalar(select(func.count()).select_from(QueueEntry))
    file.write_bytes(content)
    assert prepare_guarded(project, 1, scoring_steps.prepare_import) == GO
    with project.database.read() as session:
        assert session.scalars(select(Import.failure)).all() == [None, None]


def is_held(project: Project) -> bool:
    return locks.is_held(project.data / WORK)


def test_a_job_is_marked_as_at_work_until_it_ends_however_it_ends(project: Project) -> None:
    at_work, seen = threading.Event(), []

    def job(number: int) -> str:
        seen.append(at_work.is_set() and is_held(project))
        return str(1 // number)

    marked = worker._marking(project, at_work, job)
    assert marked(1) == "1"
    with pytest.raises(ZeroDivisionError):
        marked(0)
    assert seen == [True, True]
    assert not at_work.is_set()
    assert not is_held(project)


def test_a_project_has_one_worker(labelled: Project) -> None:
    with running(fake_worker_of(labelled)):
        wait_until(lambda: lifecycle.is_worker_running(labelled), "the worker")
        second = subprocess.run(
            fake_worker_of(labelled), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    assert second.returncode == 1
    assert "A worker is already running" in second.stderr
