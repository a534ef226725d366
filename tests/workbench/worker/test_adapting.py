"""An adaptation in a worker without a model: done, cancelled, killed, refused."""

import importlib
import signal
from collections.abc import Sequence

import pytest

from db.tables import Adaptation
from tests.workbench.making import POSTS, posts_of
from tests.workbench.worker.fake_trainer import NO_BERT, PATIENT
from tests.workbench.working import fake_worker_of, running, wait_for_state, wait_until
from trainer.adapters.card import read_card
from trainer.adapters.folders import base_fingerprint, resolve_base, same_base
from trainer.messages import Message
from trainer.scoring.embeddings import Embedder
from workbench.accounts import Account
from workbench.adapting import lifecycle
from workbench.adapting.posts import count_read
from workbench.project import Project
from workbench.rounds import lifecycle as rounds
from workbench.rounds.base import next_base, place_of
from workbench.worker import adapting
from workbench.worker.adapting import AdaptingAttempt, adapt_guarded
from workbench.worker.attempts import GO, MOST_STEP_ATTEMPTS, SupersededError


@pytest.fixture(autouse=True)
def few_posts_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "FEWEST_POSTS", 100)


def adaptation_of(project: Project, number: int = 1) -> Adaptation:
    with project.database.read() as session:
        return session.get_one(Adaptation, number)


def set_base(project: Project, base: str) -> None:
    with project.database.write() as session:
        session.get_one(Adaptation, 1).base = base


def wait_for_end(project: Project, number: int = 1) -> Adaptation:
    wait_until(lambda: adaptation_of(project, number).state in lifecycle.ENDED, "the adaptation to end")
    return adaptation_of(project, number)


def test_its_encoder_is_in_use_afterwards_and_the_next_round_trains_on_it(
    labelled: Project, boss: Account
) -> None:
    lifecycle.start(labelled, boss)
    with running(fake_worker_of(labelled)):
        row = wait_for_end(labelled)
        assert (row.state, row.failure, row.is_in_use) == ("done", None, True)
        pool = posts_of(labelled, "pool")
        assert row.facts is not None
        assert (row.facts["texts"], row.posts) == (len(pool), POSTS)
        assert count_read(labelled.base_folder(1), range(POSTS + 1)) == len(pool)
        assert not lifecycle.work_folder(labelled, 1).exists()
        number = rounds.start(labelled, boss, is_quick=True)
        assert wait_for_state(labelled, number, *rounds.SETTLED).base == "base-0001"
    folder = labelled.round_folder(number)
    card = read_card(folder)
    assert same_base(folder, card, card.base.name) == labelled.base_folder(1)


def test_a_cancelled_one_ends_its_process_and_leaves_nothing(labelled: Project, boss: Account) -> None:
    lifecycle.start(labelled, boss)
    set_base(labelled, PATIENT)
    with running(fake_worker_of(labelled)):
        wait_until((lifecycle.log_folder(labelled, 1) / "adapting.jsonl").exists, "the first steps")
        lifecycle.cancel(labelled, boss)
        wait_until(lambda: not lifecycle.work_folder(labelled, 1).exists(), "its folder to go")
    assert adaptation_of(labelled).state == "cancelled"
    assert not labelled.base_folder(1).exists()


def test_a_killed_worker_is_followed_by_one_that_goes_on_with_the_same_posts(
    labelled: Project, boss: Account
) -> None:
    lifecycle.start(labelled, boss)
    set_base(labelled, PATIENT)
    with running(fake_worker_of(labelled)) as process:
        wait_until((lifecycle.log_folder(labelled, 1) / "adapting.jsonl").exists, "the first steps")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert adaptation_of(labelled).state == "running"
    texts = lifecycle.work_folder(labelled, 1) / "texts.txt"
    written = texts.stat().st_mtime_ns
    with labelled.database.read() as session:
        assert next_base(labelled, session) == labelled.settings.base_model
    set_base(labelled, labelled.settings.base_model)
    checkpoint = lifecycle.work_folder(labelled, 1) / "checkpoint"
    checkpoint.mkdir()
    assert texts.stat().st_mtime_ns == written
    with running(fake_worker_of(labelled)):
        assert wait_for_end(labelled).state == "done"


def test_what_cannot_be_adapted_is_said_in_one_sentence_and_the_base_stays(
    labelled: Project, boss: Account
) -> None:
    lifecycle.start(labelled, boss)
    set_base(labelled, NO_BERT)
    with running(fake_worker_of(labelled)):
        row = wait_for_end(labelled)
    assert row.state == "failed"
    assert row.failure is not None
    assert str(Message.from_dict(row.failure)) == "Adapting failed: no-bert: has a decoder"
    assert not lifecycle.work_folder(labelled, 1).exists()
    with labelled.database.read() as session:
        assert next_base(labelled, session) == labelled.settings.base_model


def run_here(attempt: AdaptingAttempt, step: str, command: Sequence[object]) -> None:
    """Runs the real trainer in this process."""
    module, *arguments = map(str, command)
    progress = attempt.log_folder / f"{step}.jsonl"
    assert importlib.import_module(module).main([*arguments, "--progress", str(progress)]) == 0


def test_the_real_trainer_makes_an_encoder_that_rounds_can_train_on(
    labelled: Project, boss: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting, "run_child", run_here)
    lifecycle.start(labelled, boss, 0.02)
    assert adapting.adapt(labelled, 1) == GO
    facts = adaptation_of(labelled).facts
    assert facts is not None
    assert facts["texts"] + facts["measured_texts"] == len(posts_of(labelled, "pool"))
    assert facts["tokens_read"] > 0
    assert (labelled.base_folder(1) / "README.md").exists()
    with labelled.database.read() as session:
        base = place_of(labelled, next_base(labelled, session))
    assert base_fingerprint(resolve_base(base)) != facts["base_fingerprint"]
    assert lifecycle.read_progress(labelled, 1).total == 1
    assert Embedder.load(base).vectors(["今天天气好"]).shape == (1, 32)


def test_an_unexpected_error_is_recorded_too(labelled: Project, boss: Account) -> None:
    lifecycle.start(labelled, boss)

    def broken(_project: Project, _number: int) -> str:
        raise KeyError("gone")

    assert adapt_guarded(labelled, 1, broken) == "failed"
    row = adaptation_of(labelled)
    assert row.failure is not None
    assert str(Message.from_dict(row.failure)) == "Adapting failed: KeyError: 'gone'"
    assert "Traceback" in (lifecycle.log_folder(labelled, 1) / "errors.log").read_text(encoding="utf-8")


def test_a_step_that_is_overtaken_changes_nothing(labelled: Project, boss: Account) -> None:
    lifecycle.start(labelled, boss)
    stale = adapting._begin(labelled, 1)
    adapting._begin(labelled, 1)
    assert not stale.is_wanted()
    with pytest.raises(SupersededError), stale.finish(state="done"):
        pass
    assert adaptation_of(labelled).state == "running"


def test_after_a_few_crashes_it_is_given_up(labelled: Project, boss: Account) -> None:
    lifecycle.start(labelled, boss)
    for _ in range(MOST_STEP_ATTEMPTS):
        adapting._begin(labelled, 1)
    assert adapt_guarded(labelled, 1, adapting.adapt) == "superseded"
    row = adaptation_of(labelled)
    assert row.state == "failed"
    assert "stopped 3 times" in str(Message.from_dict(row.failure or {}))
