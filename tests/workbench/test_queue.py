"""The queue holds the band and all below it, most uncertain first, and held-out posts apart."""

import numpy as np
from sqlalchemy import select

from db.tables import Post, PostGroup, QueueEntry
from tests.workbench.making import different_texts, import_texts, make_champion, ready_queue
from workbench import labelling, queue
from workbench.accounts import Account
from workbench.preparing import prepare
from workbench.project import Project


def entries(project: Project, lane: str) -> list[QueueEntry]:
    with project.database.read() as session:
        return list(
            session.scalars(select(QueueEntry).where(QueueEntry.lane == lane).order_by(QueueEntry.position))
        )


def splits(project: Project) -> dict[int, str]:
    with project.database.read() as session:
        return dict(
            session.execute(
                select(Post.id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
            ).all()
        )


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
        counts = queue.band_counts(session, project)
    pool = [number for number, split in splits(project).items() if split == "pool"]
    expected = np.array([top[number - 1] for number in pool])
    assert counts.below_band == int((expected < 0.4).sum())
    assert counts.in_band == int(((expected >= 0.4) & (expected <= 0.6)).sum())
    assert len(served) == len(pool)  # fewer than queue_at_least: widened to all


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
    queue.rebuild(project)
    queued = entries(project, "random") + entries(project, "held_out")
    assert len(queued) == 20
    labelling.submit(project, ann, labelling.hold_posts(project, ann)[0].post_id, "normal")
    assert queue.rebuild(project) == 19


def test_the_held_out_lane_closes_when_it_has_enough(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    enough = project.settings.model_copy(update={"validation_target": 0, "test_target": 0})
    object.__setattr__(project, "settings", enough)
    queue.rebuild(project)
    assert entries(project, "held_out") == []
