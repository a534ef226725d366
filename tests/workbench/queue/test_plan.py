"""The queue holds the band and all posts below it, most uncertain first, and held-out posts separately."""

from datetime import timedelta

import numpy as np
import pytest

from db.tables import Import, QueueState
from tests.workbench.making import (
    different_texts,
    import_texts,
    make_champion,
    order_quickly,
    ready_queue,
    undecided,
)
from tests.workbench.queue.reading import entries, splits
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.project import Project
from workbench.queue.band import band_counts
from workbench.queue.swap import rebuild


def test_without_a_model_the_pool_is_served_at_random(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 100)
    pool = [number for number, split in splits(project).items() if split == "pool"]
    served = [entry.post_id for entry in entries(project, "random")]
    assert sorted(served) == pool
    assert served != pool
    assert {entry.inclusion_probability for entry in entries(project, "random")} == {1.0}


def test_the_band_comes_first_by_margin_then_what_widens_it(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    top = np.linspace(0.34, 0.99, 60)
    make_champion(project, lead, np.stack([top, (1 - top) / 2, (1 - top) / 2], axis=1))
    served = entries(project, "uncertain")
    margins = [float(entry.normal or 0) - float(entry.suspicious or 0) for entry in served]
    assert margins == sorted(margins)
    with project.database.read() as session:
        counts = band_counts(session, project)
    pool = [number for number, split in splits(project).items() if split == "pool"]
    expected = np.array([top[number - 1] for number in pool])
    assert counts.below_band == int((expected < 0.4).sum())
    assert counts.in_band == int(((expected >= 0.4) & (expected <= 0.6)).sum())
    drawn = entries(project, "random")
    assert len(served) + len(drawn) + len(entries(project, "violation")) == len(pool)  # widened to all
    assert {entry.inclusion_probability for entry in drawn} == {len(drawn) / len(pool)}
    with project.database.read() as session:
        state = session.get_one(QueueState, 1)
        assert state.widened == sum(float(entry.normal or 0) > 0.6 for entry in served)


def test_held_out_posts_stay_in_their_own_lane(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 200)
    make_champion(project, lead, np.full((200, 3), 1 / 3))
    by_post = splits(project)
    assert {by_post[entry.post_id] for entry in entries(project, "uncertain")} == {"pool"}
    assert {by_post[entry.post_id] for entry in entries(project, "held_out")} == {
        "validation",
        "test",
        "audit",
    }
    assert all(entry.normal is None for entry in entries(project, "held_out"))


def test_one_post_a_group_and_none_of_a_labelled_group(project: Project, lead: Account, ann: Account) -> None:
    texts = different_texts(20)
    import_texts(project, lead, [*texts, *(text + "!" for text in texts)])
    prepare(project)
    rebuild(project)
    queued = entries(project, "random") + entries(project, "held_out")
    assert len(queued) == 20
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    assert rebuild(project) == 19


def test_the_held_out_lane_closes_when_it_has_enough(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    enough = project.settings.model_copy(update={"validation_target": 0, "test_target": 0})
    object.__setattr__(project, "settings", enough)
    rebuild(project)
    assert entries(project, "held_out") == []


def test_likely_violations_have_a_lane_of_their_own(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    scores = np.tile([0.98, 0.01, 0.01], (60, 1))
    scores[::3] = [0.1, 0.1, 0.8]
    make_champion(project, lead, scores)
    queued = entries(project, "violation")
    assert queued
    assert [entry.violation for entry in queued] == pytest.approx([0.8] * len(queued))


def test_what_the_band_cannot_hold_is_counted(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    few = project.settings.model_copy(update={"queue_at_most": 10, "queue_at_least": 1})
    object.__setattr__(project, "settings", few)
    make_champion(project, lead, np.full((60, 3), 1 / 3))
    with project.database.read() as session:
        state = session.get_one(QueueState, 1)
    assert len(entries(project, "uncertain")) == 10
    assert state.left_out == state.below_band - 10
    assert state.widened == 0


def test_vectors_spread_the_queue_and_lose_no_post(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 200)
    make_champion(project, lead, np.full((200, 3), 1 / 3))
    before = [entry.post_id for entry in entries(project, "uncertain")]
    asked: list[int] = []

    def vectors(post_ids: np.ndarray) -> np.ndarray:
        asked.extend(post_ids.tolist())
        return np.random.default_rng(0).normal(size=(len(post_ids), 4))

    rebuild(project, vectors=vectors)
    after = [entry.post_id for entry in entries(project, "uncertain")]
    assert sorted(after) == sorted(before)
    assert after != before
    assert set(asked) <= set(before)


def test_a_cold_start_serves_typical_posts_and_hides_what_a_simple_model_guesses(
    project: Project, lead: Account
) -> None:
    ready_queue(project, lead, 100)
    rng = np.random.default_rng(0)
    rebuild(project, vectors=lambda post_ids: rng.normal(size=(len(post_ids), 4)))
    pool = [number for number, split in splits(project).items() if split == "pool"]
    middle = [entry.post_id for entry in entries(project, "typical")]
    assert len(middle) == len(pool) // 2
    assert {entry.inclusion_probability for entry in entries(project, "typical")} == {None}
    assert order_quickly(project, undecided)
    assert entries(project, "typical") == []
    assert entries(project, "uncertain")
    assert all(entry.normal is None for entry in entries(project, "uncertain"))


def test_newer_imports_come_first_where_posts_arrive_daily(project: Project, lead: Account) -> None:
    texts = different_texts(80)
    for day in range(4):
        import_texts(project, lead, texts[20 * day : 20 * day + 20], start=20 * day + 1)
    with project.database.write() as session:
        for number, ago in ((1, 30), (2, 2), (3, 1), (4, 0)):
            session.get_one(Import, number).started_at = project.now() - timedelta(days=ago)
    prepare(project)
    make_champion(project, lead, np.full((80, 3), 1 / 3))
    old = [entry.post_id <= 20 for entry in entries(project, "uncertain")]
    assert old == sorted(old)
    assert any(old)
    with project.database.write() as session:
        session.get_one(Import, 2).started_at = project.now() - timedelta(days=30)
    rebuild(project)  # two days are not a daily pattern
    again = [entry.post_id <= 20 for entry in entries(project, "uncertain")]
    assert again != sorted(again)
