"""The worker looks for new labels and has the queue ordered again, unless a job runs."""

import logging
import threading

import pytest

from tests.workbench.making import add_label, posts_of, ready_queue
from workbench.accounts import Account
from workbench.locks import WORK, hold
from workbench.project import Project
from workbench.queue import ordering
from workbench.queue.ordering import QuickOrderer
from workbench.queue.quick_order import FEWEST_LABELS


class Fake:
    def __init__(self) -> None:
        self.asked = 0
        self.done = threading.Event()

    def __call__(self) -> int:
        self.asked += 1
        self.done.set()
        return 20


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def due(project: Project, lead: Account, ann: Account) -> Project:
    ready_queue(project, lead, 60)
    for at, post in enumerate(posts_of(project, "pool")[:FEWEST_LABELS]):
        add_label(project, ann, post, "violation" if at % 3 == 0 else "normal")
    return project


def test_enough_labels_order_the_queue(due: Project, fake: Fake) -> None:
    assert QuickOrderer(due, fake).order_if_due()
    assert fake.asked == 1


def test_without_new_labels_it_does_not_count_again(
    project: Project, lead: Account, ann: Account, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready_queue(project, lead, 60)
    counted = []

    def is_due(*_: object) -> bool:
        counted.append(1)
        return False

    monkeypatch.setattr(ordering, "is_due", is_due)
    orderer = QuickOrderer(project, fake)
    assert [orderer.order_if_due() for _ in range(3)] == [False] * 3
    assert len(counted) == 1
    add_label(project, ann, posts_of(project, "pool")[0], "normal")
    assert not orderer.order_if_due()
    assert len(counted) == 2


def test_it_waits_for_a_job_or_a_purge(due: Project, fake: Fake) -> None:
    orderer = QuickOrderer(due, fake)
    with hold(due.data / WORK):
        assert not orderer.order_if_due()
    assert fake.asked == 0
    assert orderer.order_if_due()


def test_no_job_starts_while_it_orders(due: Project) -> None:
    def order_queue() -> int:
        with pytest.raises(TimeoutError), hold(due.data / WORK, seconds=0, refusal=TimeoutError()):
            pass
        return 20

    assert QuickOrderer(due, order_queue).order_if_due()


def test_it_looks_until_the_worker_stops_and_not_while_a_round_trains(
    due: Project, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "LOOK_SECONDS", 0.0)
    stop, at_work = threading.Event(), threading.Event()
    at_work.set()
    thread = threading.Thread(target=QuickOrderer(due, fake).keep_ordering, args=(stop, at_work))
    thread.start()
    try:
        assert fake.asked == 0
        at_work.clear()
        assert fake.done.wait(60)
    finally:
        stop.set()
        thread.join()


def test_a_failure_is_logged_and_the_next_look_tries_again(
    due: Project, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(ordering, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(ordering, "AFTER_FAILURE_SECONDS", 0.0)
    stop, tries = threading.Event(), []

    def order_queue() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("the disk is full")
        stop.set()
        return 20

    with caplog.at_level(logging.ERROR):
        QuickOrderer(due, order_queue).keep_ordering(stop, threading.Event())
    assert len(tries) == 2
    assert "the quick model failed" in caplog.text
