"""A quick model orders the lanes that a model fills; nothing else in the queue changes."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from db.tables import QueueEntry
from tests.conftest import Clock
from tests.workbench.making import (
    add_label,
    different_texts,
    import_texts,
    make_champion,
    order_quickly,
    posts_of,
    ready_queue,
    undecided,
)
from tests.workbench.queue.reading import entries
from trainer.selection.lanes import LANE_AT_MOST
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.labelling import answers
from workbench.project import Project
from workbench.queue import quick_plan, swap
from workbench.queue.band import band_counts
from workbench.queue.quick_plan import plan_again, read_candidates

UNCHANGED = ("random", "held_out")


def rows(project: Project, *lanes: str) -> list[tuple[Any, ...]]:
    columns = [getattr(QueueEntry, column.name) for column in QueueEntry.__table__.columns]
    query = select(*columns).where(QueueEntry.lane.in_(lanes)).order_by(QueueEntry.post_id)
    with project.database.read() as session:
        return [tuple(row) for row in session.execute(query)]


def by_number(post_ids: np.ndarray) -> np.ndarray:
    """The higher the number of a post, the less sure the model."""
    top = 0.9 - 0.5 * (post_ids / 1_000)
    return np.stack([top, 1 - top, 0 * top], axis=1).astype(np.float32)


@pytest.fixture
def scored(project: Project, lead: Account) -> Project:
    """Its champion is less sure the lower the number of a post."""
    ready_queue(project, lead, 200)
    top = np.linspace(0.4, 0.9, 200)
    make_champion(project, lead, np.stack([top, 1 - top, 0 * top], axis=1))
    return project


def test_the_lanes_follow_the_quick_model_and_show_the_champions_scores(scored: Project) -> None:
    others, shown = (
        rows(scored, *UNCHANGED),
        {entry.post_id: entry.normal for entry in entries(scored, "uncertain")},
    )
    with scored.database.read() as session:
        counts = band_counts(session, scored)
    assert order_quickly(scored, by_number)
    served = entries(scored, "uncertain")
    numbers = [entry.post_id for entry in served]
    assert numbers == sorted(shown, reverse=True)
    assert {entry.post_id: entry.normal for entry in served} == shown
    assert {entry.round_number for entry in served} == {1}
    assert rows(scored, *UNCHANGED) == others
    with scored.database.read() as session:
        assert band_counts(session, scored) == counts


def test_likely_violations_by_the_model_move_to_their_lane(scored: Project) -> None:
    wanted = [entry.post_id for entry in entries(scored, "uncertain")][5:8]

    def scores(post_ids: np.ndarray) -> np.ndarray:
        is_wanted = np.isin(post_ids, wanted)[:, None]
        return np.where(is_wanted, np.float32([0.1, 0.1, 0.8]), np.float32([0.5, 0.4, 0.1]))

    order_quickly(scored, scores)
    assert sorted(entry.post_id for entry in entries(scored, "violation")) == sorted(wanted)


def test_posts_on_a_screen_and_answered_ones_keep_their_entries(scored: Project, ann: Account) -> None:
    on_screen = answers.hold_posts(scored, ann)
    answers.submit(scored, ann, on_screen[0].post_id, "normal")
    held = {card.post_id for card in answers.hold_posts(scored, ann)} | {on_screen[0].post_id}
    before = [row for row in rows(scored, "uncertain", "violation", *UNCHANGED) if row[0] in held]
    order_quickly(scored, by_number)
    assert [row for row in rows(scored, "uncertain", "violation", *UNCHANGED) if row[0] in held] == before


def import_with_copies(project: Project, lead: Account) -> None:
    """Posts 1 to 60; post n + 60 is a copy of post n."""
    texts = different_texts(60)
    import_texts(project, lead, [*texts, *(text + "!" for text in texts)])
    prepare(project)
    swap.rebuild(project)


def test_an_answer_during_the_planning_is_kept_and_its_copies_are_not_asked_about(
    project: Project, lead: Account, ann: Account
) -> None:
    import_with_copies(project, lead)
    candidates = read_candidates(project)
    assert candidates is not None
    planned = plan_again(candidates, undecided)
    copy_of = {post: post + 60 if post <= 60 else post - 60 for post in range(1, 121)}
    labelled = [entry.post_id for entry in planned.entries[:10]]
    for post in labelled[:5]:
        add_label(project, ann, post, "normal")
    for post in labelled[5:]:
        add_label(project, ann, copy_of[post], "normal")
    assert swap.replace_lanes(project, planned, 20)
    with project.database.read() as session:
        queued = dict(session.execute(select(QueueEntry.post_id, QueueEntry.is_answered)).all())
    assert all(queued[post] for post in labelled[:5])
    assert not {*labelled[5:]} & queued.keys()
    groups = Counter(min(post, copy_of[post]) for post in queued)
    assert max(groups.values()) == 1


def test_a_group_has_one_post_in_the_queue_whatever_copy_the_plan_holds(
    project: Project, lead: Account, ann: Account
) -> None:
    """A post is claimed after the planning; its group is not queued again under another copy."""
    import_with_copies(project, lead)
    assert order_quickly(project, undecided)
    candidates = read_candidates(project)
    assert candidates is not None
    planned = plan_again(candidates, undecided)
    for _ in range(4):
        answers.hold_posts(project, ann)
        answers.skip(project, ann, answers.hold_posts(project, ann)[0].post_id)
    assert swap.replace_lanes(project, planned, 20)
    with project.database.read() as session:
        queued = session.scalars(select(QueueEntry.post_id)).all()
    assert max(Counter((post - 1) % 60 for post in queued).values()) == 1


def test_scores_older_than_the_champions_order_nothing(scored: Project, lead: Account, clock: Clock) -> None:
    """A round is promoted while the quick model learns: the queue is that of the new round."""
    candidates = read_candidates(scored)
    assert candidates is not None
    planned = plan_again(candidates, by_number)
    clock.move(seconds=1)
    make_champion(scored, lead, np.tile([0.5, 0.3, 0.2], (200, 1)), number=2)
    before = rows(scored, "uncertain", "violation", *UNCHANGED)
    assert not swap.replace_lanes(scored, planned, 20)
    assert rows(scored, "uncertain", "violation", *UNCHANGED) == before


def test_without_a_queue_nothing_is_asked(project: Project) -> None:
    assert read_candidates(project) is None


def test_at_a_cold_start_the_random_lane_keeps_its_first_posts_once(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 120)
    pool, drawn = posts_of(project, "pool"), [entry.post_id for entry in entries(project, "random")]
    held_out = rows(project, "held_out")
    order_quickly(project, by_number)
    half = entries(project, "random")
    assert [entry.post_id for entry in half] == drawn[: -(-len(pool) // 2)]
    chances = [entry.inclusion_probability for entry in half]
    assert chances == pytest.approx([len(half) / len(pool)] * len(half))
    rest = [entry.post_id for entry in entries(project, "uncertain")]
    assert rest == sorted(set(pool) - {entry.post_id for entry in half}, reverse=True)
    assert len(half) < LANE_AT_MOST
    random = rows(project, "random")
    order_quickly(project, undecided)
    assert rows(project, "random") == random
    assert rows(project, "held_out") == held_out


def test_of_a_large_pool_half_are_the_champions_doubts(
    scored: Project,
) -> None:
    every, some = read_candidates(scored), read_candidates(scored, most=40)
    assert every is not None
    assert some is not None
    assert every.probabilities is not None
    gaps = np.abs(every.probabilities[:, 0] - every.probabilities[:, 1])
    assert set(every.post_ids[np.argsort(gaps)[:20]].tolist()) <= set(some.post_ids.tolist())
    assert 20 < len(some.post_ids) <= 40
    assert np.isin(some.post_ids, every.post_ids).all()


def test_posts_drawn_for_figures_about_all_posts_stay_out_of_the_ordered_lanes(
    scored: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the adapter has scored a part of the pool, its random sample stays a random sample."""
    drawn = set(posts_of(scored, "pool")[::4])

    def of(_draw: object, post_ids: np.ndarray) -> np.ndarray:
        return np.isin(post_ids, list(drawn))

    monkeypatch.setattr(quick_plan.Draw, "of", of)
    order_quickly(scored, by_number)
    with scored.database.read() as session:
        served = session.scalars(select(QueueEntry.post_id).where(QueueEntry.lane == "uncertain")).all()
    assert served
    assert not drawn & set(served)
