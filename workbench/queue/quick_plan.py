"""Which posts a quick model is asked about, and the lanes that follow.

Only the lanes that a model orders are planned again. Held-out and random posts, answered ones and those that an
annotator has open stay as they are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.queries.serving import is_open
from db.queries.standing import current_labels, is_of_pool, labelled_groups, standing_resolutions
from db.tables import Annotation, Claim, Post, PostGroup, PostText, QueueEntry, QueueState, Resolution
from trainer.chunks import in_chunks
from trainer.selection.lanes import (
    RANDOM,
    TYPICAL,
    UNCERTAIN,
    VIOLATION,
    Band,
    Composition,
    at_cold_start,
    pool_lanes,
    random_count,
)
from trainer.selection.strategies import margin
from workbench.project import Project
from workbench.queue.plan import (
    SEED,
    Draw,
    Entry,
    VectorsOf,
    embed_with,
    imports_to_serve_first,
    lane_entries,
    scored_pool,
)
from workbench.queue.quick_order import Newest, read_quick_order
from workbench.queue.servable import Servable, read_servable
from workbench.rounds.champion import champion_number
from workbench.thresholds.policy import band_in_force

MOST_POSTS = 50_000
"""Posts that are scored at once: some seconds."""
AHEAD = 100
"""Posts at the head of a lane that are diversified: more than are labelled before the next order."""
STEERED = (UNCERTAIN, VIOLATION, TYPICAL)
"""Lanes whose posts a model chooses."""

QuickScores = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Post ids (n,) to the quick model's probabilities (n, 3)."""


@dataclass(frozen=True)
class Basis:
    """What the plan was made from: the queue built at `built_at`, and the newest labels.

    `random_end`: the position from which open posts of the random lane are free for the other lanes; None if all stay.
    """

    built_at: datetime
    round_number: int | None
    newest: Newest
    random_end: int | None


@dataclass(frozen=True)
class Candidates:
    """Posts that may be served, one of each group, in random order: ids and whether they are new, both (n,).

    `probabilities` (n, 3) are the champion's, None without one.
    """

    basis: Basis
    limits: Band
    composition: Composition
    post_ids: NDArray[np.int64]
    is_new: NDArray[np.bool_]
    probabilities: NDArray[np.float32] | None


@dataclass(frozen=True)
class QuickPlan:
    basis: Basis
    entries: Sequence[Entry]


def plan_again(candidates: Candidates, scores: QuickScores, *, vectors: VectorsOf | None = None) -> QuickPlan:
    """The entries keep the champion's probabilities, which people see; the model's own only order them."""
    lanes = pool_lanes(
        scores(candidates.post_ids),
        replace(candidates.composition, random=0),
        candidates.limits,
        embed=embed_with(vectors, candidates.post_ids),
        rng=np.random.default_rng(SEED),
        is_new=candidates.is_new,
        ahead=AHEAD,
    )
    entries = lane_entries(
        {lane: lanes[lane] for lane in (UNCERTAIN, VIOLATION)},
        candidates.post_ids,
        candidates.basis.round_number,
        candidates.probabilities,
    )
    return QuickPlan(candidates.basis, entries)


def read_candidates(project: Project, *, most: int = MOST_POSTS) -> Candidates | None:
    """None without a queue of the champion, as while a promotion is under way."""
    with project.database.read() as session:
        basis = _basis(session, project)
        if basis is None:
            return None
        taken = {*session.scalars(labelled_groups()), *session.scalars(groups_that_stay(basis))}
        new_imports = imports_to_serve_first(session, project)
        limits = band_in_force(session, project)
    servable = read_servable(project, taken, new_imports, np.random.default_rng(SEED))
    if basis.round_number is None:
        return _unscored(project, basis, limits, servable, most)
    return _scored(project, basis, limits, servable, most, basis.round_number)


def _unscored(project: Project, basis: Basis, limits: Band, servable: Servable, most: int) -> Candidates:
    at = np.random.default_rng(SEED).permutation(len(servable.pool))[:most]
    composition = at_cold_start(project.settings.composition)
    return Candidates(basis, limits, composition, servable.pool[at], servable.is_new[at], None)


def _scored(
    project: Project, basis: Basis, limits: Band, servable: Servable, most: int, number: int
) -> Candidates:
    posts, is_new, probabilities = scored_pool(project, number, servable, np.random.default_rng(SEED))
    is_drawn = Draw.of_round(project, number).of(posts)
    free = np.arange(len(posts)) if is_drawn is None else np.flatnonzero(~is_drawn)
    at = free[_considered(probabilities[free], most)]
    composition = project.settings.composition
    return Candidates(basis, limits, composition, posts[at], is_new[at], probabilities[at])


def read_pool_labels(session: Session) -> dict[int, str]:
    """By post id: the resolved label, else the newest current one."""
    is_pool = is_of_pool(), Post.is_quarantined.is_(False)
    labels = current_labels().join(Post, Post.id == Annotation.post_id).order_by(Annotation.id)
    decided = standing_resolutions().join(Post, Post.id == Resolution.post_id)
    rows = [
        *session.scalars(labels.join(PostGroup, PostGroup.id == Post.group_id).where(*is_pool)),
        *session.scalars(decided.join(PostGroup, PostGroup.id == Post.group_id).where(*is_pool)),
    ]
    return {row.post_id: str(row.label) for row in rows}


def read_texts(project: Project, post_ids: Sequence[int]) -> list[str]:
    """In the order of the ids."""
    texts: dict[int, str] = {}
    with project.database.read() as session:
        for some in in_chunks(post_ids, IDS_AT_ONCE):
            query = select(PostText.post_id, PostText.text).where(PostText.post_id.in_(some))
            texts |= dict(session.execute(query).all())
    return [texts[post_id] for post_id in post_ids]


def is_replaced(basis: Basis) -> ColumnElement[bool]:
    """The entries that a new order replaces."""
    lanes: ColumnElement[bool] = QueueEntry.lane.in_(STEERED)
    if basis.random_end is not None:
        lanes = or_(lanes, and_(QueueEntry.lane == RANDOM, QueueEntry.position >= basis.random_end))
    return and_(is_open(), lanes, QueueEntry.post_id.not_in(select(Claim.post_id)))


def groups_that_stay(basis: Basis) -> Select[int | None]:
    """Groups with an entry that stays: no other post of them may be queued."""
    entries = select(Post.group_id).join(QueueEntry, QueueEntry.post_id == Post.id)
    return entries.where(~is_replaced(basis), Post.group_id.is_not(None))


def _basis(session: Session, project: Project) -> Basis | None:
    state = session.get(QueueState, 1)
    if state is None or state.round_number != champion_number(session):
        return None
    end = None if state.round_number is not None else _random_end(session, project)
    return Basis(state.built_at, state.round_number, Newest.of(session), end)


def _random_end(session: Session, project: Project) -> int | None:
    """Where the random lane of a cold start ends once a model fills the other lanes.

    Until then it holds nearly the whole pool in random order, so that its first posts are a random sample.
    """
    if read_quick_order(project, session) is not None:
        return None  # it has its end already
    lanes = QueueEntry.lane.in_((RANDOM, *STEERED))
    posts = session.scalar(select(func.count()).select_from(QueueEntry).where(is_open(), lanes)) or 0
    end = (
        select(QueueEntry.position)
        .where(is_open(), QueueEntry.lane == RANDOM)
        .order_by(QueueEntry.position)
        .offset(random_count(posts, at_cold_start(project.settings.composition)))
        .limit(1)
    )
    return session.scalar(end)


def _considered(probabilities: NDArray[np.float32], most: int) -> NDArray[np.intp]:
    """All positions, or half by the champion's margin and half at random, as many as `most`; ascending."""
    if len(probabilities) <= most:
        return np.arange(len(probabilities))
    half = most // 2
    doubtful = np.argpartition(margin(probabilities), half)[:half]
    return np.union1d(doubtful, np.arange(most - half))
