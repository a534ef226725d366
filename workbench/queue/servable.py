"""The posts that may be served, one of each group, as arrays: so that ten million need no row each.

Posts are read in steps by their numbers, each on a snapshot of its own: one long snapshot would keep the database
from writing its journal home while people label. Nothing is lost by it, as only the worker, which reads here,
gives posts their groups; labels given meanwhile are looked up when the queue takes effect.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from db.queries.preparing import grouped_posts, groups_of_split, keys_of_split
from db.tables import PostGroup
from trainer.chunks import in_chunks
from trainer.labels import LABELS
from workbench.project import Project
from workbench.scores.round_scores import Scores

ROWS_AT_ONCE = 100_000
HELD_OUT_SPLITS = ("validation", "test", "audit")
POOL, LABELLED = 0, -1


@dataclass(frozen=True)
class Servable:
    """Of each group that nobody has labelled one post, quarantined ones left out; in the order of their groups.

    pool (n,): of the pool's groups one at random; is_new (n,): it came with one of the imports asked for.
    held_out (m,): the oldest post of each held-out group of held_out_groups (m,), which ascend.
    """

    pool: NDArray[np.int64]
    is_new: NDArray[np.bool_]
    held_out_groups: NDArray[np.int64]
    held_out: NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """Groups of a split that wait: their post, stratum (-1: none yet) and draws, all (n,)."""

    posts: NDArray[np.int64]
    strata: NDArray[np.int64]
    draws: NDArray[np.float64]


def read_servable(
    project: Project, labelled: Collection[int | None], new_imports: Collection[int], rng: np.random.Generator
) -> Servable:
    """Read every post once. `labelled` groups are left out."""
    kind = _kinds(project, labelled)
    chosen, is_new = np.zeros(len(kind), np.int64), np.zeros(len(kind), bool)
    draws = np.full(len(kind), -1.0)
    for posts, groups, imports in _grouped(project):
        is_known = groups < len(kind)  # a group made since is for the next queue
        is_pool, is_held_out = is_known.copy(), is_known.copy()
        is_pool[is_known] = kind[groups[is_known]] == POOL
        is_held_out[is_known] = kind[groups[is_known]] > POOL
        drawn = rng.random(int(is_pool.sum()))
        best = _last_of_each(groups[is_pool], drawn)
        at, best_draws = np.flatnonzero(is_pool)[best], drawn[best]
        is_higher = best_draws > draws[groups[at]]
        at = at[is_higher]
        draws[groups[at]], chosen[groups[at]] = best_draws[is_higher], posts[at]
        is_new[groups[at]] = np.isin(imports[at], list(new_imports))
        first_of, first = np.unique(groups[is_held_out], return_index=True)
        is_first = chosen[first_of] == 0
        chosen[first_of[is_first]] = posts[is_held_out][first[is_first]]
    is_served = (kind == POOL) & (chosen > 0)
    held_out = np.flatnonzero((kind > POOL) & (chosen > 0))
    return Servable(chosen[is_served], is_new[is_served], held_out, chosen[held_out])


def read_held_out(project: Project, split: str, servable: Servable) -> HeldOut:
    """The groups of a held-out split that wait, with all that their order is made of."""
    parts = []
    with project.database.read() as session:
        rows = _cursor(session, keys_of_split(split))
        for some in in_chunks(rows, ROWS_AT_ONCE):
            groups = np.array([group for group, _, _ in some], np.int64)
            strata = np.array([-1 if stratum is None else stratum for _, _, stratum in some], np.int64)
            waits = np.isin(groups, servable.held_out_groups)
            posts = servable.held_out[np.searchsorted(servable.held_out_groups, groups[waits])]
            draws = _draws([key for (_, key, _), is_waiting in zip(some, waits, strict=True) if is_waiting])
            parts.append((posts, strata[waits], draws))
    if not parts:
        return HeldOut(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return HeldOut(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def scores_of(
    posts: NDArray[np.int64], parts: Iterable[Scores]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """(n,) which of the posts are scored, and (n, labels) how, from scores that come in parts."""
    order = np.argsort(posts)
    ordered = posts[order]
    is_scored = np.zeros(len(posts), bool)
    probabilities = np.zeros((len(posts), len(LABELS)), np.float32)
    for part in parts:
        if not len(part.post_ids):
            continue
        begin, end = np.searchsorted(ordered, [part.post_ids[0], part.post_ids[-1] + 1])
        here, places = ordered[begin:end], order[begin:end]
        matches = np.searchsorted(part.post_ids, here)
        has_one = part.post_ids[matches] == here
        is_scored[places[has_one]] = True
        probabilities[places[has_one]] = part.probabilities[matches[has_one]]
    return is_scored, probabilities


def _kinds(project: Project, labelled: Collection[int | None]) -> NDArray[np.int8]:
    """By group: `POOL`, `LABELLED`, or above them held out."""
    with project.database.read() as session:
        last = session.scalar(select(func.max(PostGroup.id))) or 0
    kind = np.full(last + 1, POOL, np.int8)
    for place, split in enumerate(HELD_OUT_SPLITS, start=POOL + 1):
        with project.database.read() as session:
            (groups,) = _numbers(session, groups_of_split(split))
        kind[groups[groups <= last]] = place
    done = np.array([group for group in labelled if group is not None], np.int64)
    kind[done[done <= last]] = LABELLED
    return kind


def _grouped(project: Project) -> Iterator[tuple[NDArray[np.int64], ...]]:
    """Number, group and import of the posts that have a group and are not quarantined, in the order of numbers."""
    after = 0
    while True:
        with project.database.read() as session:
            posts, groups, imports = _numbers(session, grouped_posts(after).limit(ROWS_AT_ONCE))
        if not len(posts):
            return
        after = int(posts[-1])
        yield posts, groups, imports


def _numbers(session: Session, query: Select[*tuple[Any, ...]]) -> NDArray[np.int64]:
    """(columns, n), straight from the driver: a row object for each post would take four times as long."""
    width = len(query.selected_columns)
    return np.fromiter(chain.from_iterable(_cursor(session, query)), np.int64).reshape(-1, width).T


def _cursor(session: Session, query: Select[*tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    rows: Any = session.connection().execute(query).cursor
    return iter(rows)


def _last_of_each(groups: NDArray[np.int64], by: NDArray[np.float64]) -> NDArray[np.intp]:
    """Where each group's highest value stands."""
    order = np.lexsort((by, groups))
    is_last = np.append(np.diff(groups[order]) != 0, np.ones(min(1, len(order)), bool))
    positions: NDArray[np.intp] = order[is_last]
    return positions


def _draws(keys: Sequence[bytes]) -> NDArray[np.float64]:
    """Where groups stand in the order of their stratum: drawn by hash, so that it is the same for ever."""
    digests = b"".join(sha256(b"order" + key).digest()[:8] for key in keys)
    return np.frombuffer(digests, ">u8").astype(np.float64) / 2**64
