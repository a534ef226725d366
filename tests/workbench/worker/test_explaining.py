"""Which posts are explained, by which round and when: no request waits for it, and a held-out post never is."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, event, select, update

from db.queries.serving import unexplained_posts
from db.tables import Champion, Claim, Explanation, Post, PostGroup, PostText, QueueEntry
from tests.conftest import Clock
from tests.workbench.making import make_champion, ready_queue
from tests.workbench.working import running, wait_until, worker_of
from workbench import accounts
from workbench.accounts import Account
from workbench.labelling import answers as labelling_answers
from workbench.labelling.explanations import Word, influential_words
from workbench.project import Project
from workbench.queue import claims
from workbench.worker import explaining
from workbench.worker.explaining import Explainer

POSTS = 40
WORD = (0, 2, 0.3)


class Fake:
    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.asked: list[Sequence[str]] = []

    def __call__(self, folder: Path) -> explaining.Explain:
        self.loaded.append(folder.name)
        return self.explain

    def explain(self, texts: Sequence[str]) -> list[list[Word]]:
        self.asked.append(texts)
        return [[WORD] for _ in texts]


@pytest.fixture
def fake() -> Fake:
    return Fake()


@pytest.fixture
def explainer(project: Project, lead: Account, fake: Fake) -> Explainer:
    ready_queue(project, lead, POSTS)
    make_champion(project, lead, np.full((POSTS, 3), 1 / 3))
    return Explainer(project, fake)


def explained(project: Project) -> set[tuple[int, int]]:
    with project.database.read() as session:
        rows = session.execute(select(Explanation.post_id, Explanation.round_number))
        return {(row.post_id, row.round_number) for row in rows}


def claim(
    project: Project, account: Account, posts: Sequence[int], *, slot: int = 0, lane: str = "random"
) -> None:
    now = project.now()
    with project.database.write() as session:
        for place, post in enumerate(posts):
            session.add(
                Claim(
                    post_id=post, slot=slot, person_id=account.id, lane=lane,
                    claimed_at=now + place * claims.TICK, expires_at=claims._expiry(project, now),
                )
            )  # fmt: skip


def scored(project: Project) -> list[int]:
    with project.database.read() as session:
        return list(session.scalars(select(QueueEntry.post_id).where(QueueEntry.round_number.is_not(None))))


def test_what_people_hold_is_explained_once(
    project: Project, ann: Account, explainer: Explainer, fake: Fake
) -> None:
    held = scored(project)[:2]
    claim(project, ann, held[:1])
    claim(project, ann, held[1:], slot=1)
    assert explainer.explain_some() == 2
    assert explained(project) == {(post, 1) for post in held}
    assert explainer.explain_some() == 0
    assert len(fake.asked) == len(fake.loaded) == 1
    with project.database.read() as session:
        assert influential_words(session, held[0], 1) == [WORD]
        assert influential_words(session, held[0], 2) is None


def test_a_post_in_two_hands_is_explained_once(
    project: Project, ann: Account, ben: Account, explainer: Explainer, fake: Fake
) -> None:
    post = scored(project)[:1]
    claim(project, ann, post)
    claim(project, ben, post, slot=1, lane="second_opinion")
    explainer.explain_some()
    assert [len(texts) for texts in fake.asked] == [1]


def test_that_no_word_carried_it_is_remembered_too(
    project: Project, ann: Account, explainer: Explainer, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "explain", lambda texts: [[] for _ in texts])
    post = scored(project)[0]
    claim(project, ann, [post])
    explainer.explain_some()
    with project.database.read() as session:
        assert influential_words(session, post, 1) == []
    assert explainer.explain_some() == 0


def test_a_held_out_post_is_never_explained(project: Project, ann: Account, explainer: Explainer) -> None:
    """Each of three signs suffices: its lane in the queue, the lane it was served from, its split."""
    queued, served, split = scored(project)[:3]
    with project.database.write() as session:
        session.execute(update(QueueEntry).where(QueueEntry.post_id == queued).values(lane="held_out"))
        group = session.scalar(select(Post.group_id).where(Post.id == split))
        session.execute(update(PostGroup).where(PostGroup.id == group).values(split="test"))
    claim(project, ann, [queued, split])
    claim(project, ann, [served], lane="held_out")
    assert explainer.explain_some() == 0
    assert explained(project) == set()


def test_posts_without_a_score_of_this_round_or_a_live_claim_wait(
    project: Project, ann: Account, explainer: Explainer, clock: Clock, fake: Fake
) -> None:
    other, late = scored(project)[:2]
    with project.database.write() as session:
        session.execute(update(QueueEntry).where(QueueEntry.post_id == other).values(round_number=None))
    claim(project, ann, [late])
    clock.move(minutes=project.settings.claim_minutes + 1)
    claim(project, ann, [other])
    assert explainer.explain_some() == 0
    assert fake.loaded == []


def test_the_newest_claims_come_first_and_a_few_at_once(
    project: Project, ann: Account, explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explaining, "AT_ONCE", 2)
    posts = scored(project)[:3]
    claim(project, ann, posts)
    assert explainer.explain_some() == 2
    assert explained(project) == {(post, 1) for post in posts[1:]}
    assert explainer.explain_some() == 1
    assert explained(project) == {(post, 1) for post in posts}


def test_looking_for_something_to_explain_never_walks_through_the_pool(project: Project) -> None:
    """It runs every second; the obvious join takes half a second for half a million posts."""
    plans: list[str] = []

    def plan(_connection: object, cursor: Any, statement: str, parameters: object, *_: object) -> None:
        rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.extend(row[3] for row in rows)

    with project.database.read() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", plan)
        connection.execute(unexplained_posts(1, project.now()).limit(8)).all()
    scans = [step for step in plans if step.startswith("SCAN") or "ix_post_group_split" in step]
    assert scans
    assert all(step.startswith("SCAN claim") for step in scans)


def test_with_another_adapter_in_use_the_old_words_go(
    project: Project, lead: Account, ann: Account, explainer: Explainer, fake: Fake
) -> None:
    post = scored(project)[0]
    claim(project, ann, [post])
    explainer.explain_some()
    make_champion(project, lead, np.full((POSTS, 3), 1 / 3), number=2)
    explainer.explain_some()
    assert explained(project) == {(post, 2)}
    assert fake.loaded == ["round-0001", "round-0002"]
    with project.database.write() as session:
        session.execute(delete(Champion))
    assert explainer.explain_some() == 0
    assert explained(project) == set()


def test_words_of_an_adapter_replaced_while_it_was_asked_are_not_kept(
    project: Project,
    lead: Account,
    ann: Account,
    explainer: Explainer,
    fake: Fake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def replaced(texts: Sequence[str]) -> list[list[Word]]:
        make_champion(project, lead, np.full((POSTS, 3), 1 / 3), number=2)
        return [[WORD] for _ in texts]

    monkeypatch.setattr(fake, "explain", replaced)
    claim(project, ann, scored(project)[:1])
    explainer.explain_some()
    assert explained(project) == set()


def test_nothing_is_explained_before_the_first_round(
    project: Project, lead: Account, ann: Account, fake: Fake
) -> None:
    ready_queue(project, lead, POSTS)
    labelling_answers.hold_posts(project, ann)
    assert Explainer(project, fake).explain_some() == 0
    assert fake.loaded == []


class Waits(threading.Event):
    """Records the waits without waiting; stops after some rounds."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._rounds = rounds

    def wait(self, timeout: float | None = None) -> bool:
        self.pauses.append(timeout or 0.0)
        if len(self.pauses) > self._rounds:
            self.set()
        return self.is_set()


def test_while_a_job_is_at_work_nothing_is_explained(
    project: Project, ann: Account, explainer: Explainer
) -> None:
    claim(project, ann, scored(project)[:1])
    at_work = threading.Event()
    at_work.set()
    explainer.keep_explaining(Waits(3), at_work)
    assert explained(project) == set()
    at_work.clear()
    explainer.keep_explaining(Waits(1), at_work)
    assert len(explained(project)) == 1


def test_a_failure_is_logged_and_tried_again_later(
    project: Project, ann: Account, explainer: Explainer, fake: Fake, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    answers = iter([RuntimeError("no memory"), None])

    def once_broken(texts: Sequence[str]) -> list[list[Word]]:
        if (error := next(answers)) is not None:
            raise error
        return [[WORD] for _ in texts]

    monkeypatch.setattr(fake, "explain", once_broken)
    claim(project, ann, scored(project)[:1])
    stop = Waits(2)
    with caplog.at_level(logging.ERROR):
        explainer.keep_explaining(stop, threading.Event())
    assert "no memory" in caplog.text
    look, later = explaining.LOOK_SECONDS, explaining.AFTER_FAILURE_SECONDS
    assert stop.pauses == [look, later, look]
    assert len(explained(project)) == 1


@pytest.mark.ci
def test_the_real_worker_explains_what_is_held(served: Project) -> None:
    """By the adapter in use, once an annotator holds a post."""
    held = scored(served)[:2]
    with running(worker_of(served)):
        claim(served, accounts.command_line(served), held)
        wait_until(lambda: explained(served) == {(post, 1) for post in held}, "the explanations")
    with served.database.read() as session:
        for post in held:
            text = session.get_one(PostText, post).text
            words = influential_words(session, post, 1)
            assert words
            assert all(0 <= start < end <= len(text) and drop > 0 for start, end, drop in words)
