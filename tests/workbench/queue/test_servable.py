"""Servable posts are read in steps; the result does not depend on the step size."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from db.tables import Post, PostGroup
from tests.workbench.making import different_texts, import_texts
from workbench.accounts import Account
from workbench.imports.preparing import prepare
from workbench.project import Project
from workbench.queue import servable
from workbench.queue.servable import Servable, read_held_out, read_servable, scores_of
from workbench.scores.round_scores import Scores


@pytest.fixture
def grouped(project: Project, lead: Account) -> Project:
    """Sixty texts, each three times; every seventh post is quarantined."""
    texts = different_texts(60)
    import_texts(project, lead, [text + end for end in ("", "!", "!!") for text in texts])
    prepare(project)
    with project.database.write() as session:
        session.execute(update(Post).where(Post.id % 7 == 0).values(is_quarantined=True))
    return project


def members(project: Project) -> dict[int, tuple[str, list[int]]]:
    by_group: dict[int, tuple[str, list[int]]] = {}
    with project.database.read() as session:
        for group in session.scalars(select(PostGroup)):
            posts = select(Post.id).where(Post.group_id == group.id, Post.is_quarantined.is_(False))
            by_group[group.id] = group.split, list(session.scalars(posts.order_by(Post.id)))
    return by_group


def read(project: Project, *labelled: int, seed: int = 0) -> Servable:
    return read_servable(project, labelled, (), np.random.default_rng(seed))


@pytest.mark.parametrize("rows_at_once", [1, 7, 1_000])
def test_each_group_without_a_label_has_one_post(
    grouped: Project, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servable, "ROWS_AT_ONCE", rows_at_once)
    groups = members(grouped)
    done = list(groups)[::5]
    servable_posts = read(grouped, *done)
    assert servable_posts.pool.tolist() == read(grouped, *done).pool.tolist()
    waiting = {group: members_of_group for group, members_of_group in groups.items() if group not in done}
    pool = [posts for split, posts in waiting.values() if split == "pool"]
    assert len(servable_posts.pool) == len(pool)
    assert all(sum(post in posts for post in servable_posts.pool.tolist()) == 1 for posts in pool)
    held_out = {group: posts[0] for group, (split, posts) in waiting.items() if split != "pool"}
    assert (
        dict(zip(servable_posts.held_out_groups.tolist(), servable_posts.held_out.tolist(), strict=True))
        == held_out
    )
    for name in ("validation", "test", "audit"):
        posts = read_held_out(grouped, name, servable_posts).posts.tolist()
        assert sorted(posts) == sorted(held_out[at] for at in held_out if groups[at][0] == name)


def test_every_near_copy_is_as_likely_to_be_served(grouped: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servable, "ROWS_AT_ONCE", 25)
    drawn = Counter(post for seed in range(60) for post in read(grouped, seed=seed).pool.tolist())
    groups = [posts for split, posts in members(grouped).values() if split == "pool" and len(posts) == 3]
    places = np.array([[drawn[post] for post in posts] for posts in groups]).sum(axis=0)
    # A third each, within four standard errors.
    assert abs(places / places.sum() - 1 / 3).max() < 4 * (2 / 9 / places.sum()) ** 0.5


def test_the_held_out_order_is_drawn_by_hash_and_does_not_depend_on_the_steps(
    grouped: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = read_held_out(grouped, "test", read(grouped))
    assert len(before.draws) > 3
    monkeypatch.setattr(servable, "ROWS_AT_ONCE", 2)
    after = read_held_out(grouped, "test", read(grouped, seed=1))
    assert after.draws.tolist() == before.draws.tolist()
    assert ((before.draws >= 0) & (before.draws < 1)).all()


def test_the_order_of_a_group_is_for_ever() -> None:
    """A new order would serve other posts, and the labelled ones would no longer be a random sample."""
    assert servable._draws([bytes(16), b"0123456789abcdef"]).tolist() == pytest.approx(
        [0.14843329422787732, 0.3044912145657417], abs=0
    )


@given(st.sets(st.integers(1, 60)), st.sets(st.integers(1, 60)), st.integers(1, 10))
def test_scores_in_parts_are_found_as_those_in_one(wanted: set[int], scored: set[int], size: int) -> None:
    posts = np.random.default_rng(0).permutation(np.array(sorted(wanted), np.int64))
    ids = np.array(sorted(scored), np.int64)
    probabilities = np.random.default_rng(1).dirichlet([1, 1, 1], len(ids)).astype(np.float32)
    parts = [
        Scores(ids[start : start + size], probabilities[start : start + size])
        for start in range(0, len(ids) + size, size)
    ]
    is_scored, joined = scores_of(posts, parts)
    assert set(posts[is_scored].tolist()) == wanted & scored
    at = np.searchsorted(ids, posts[is_scored])
    assert (joined[is_scored] == probabilities[at]).all()
