"""The posts that may be served, one of each group, as arrays, so that ten million posts need no row objects.

Posts are read in blocks of ids, each in its own snapshot: one long snapshot would block checkpoints of the
write-ahead log while annotators work. The result is consistent, as only the worker, which reads here, assigns
groups; the swap handles labels given meanwhile.
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
    """One post of each unlabelled group without its quarantined posts, in the order of the groups.

    `pool` (n,): a random post of each group of the pool; `is_new` (n,): it came with one of the new imports.
    `held_out` (m,): the oldest post of each held-out group; `held_out_groups` (m,) ascending.
    """

    pool: NDArray[np.int64]
    is_new: NDArray[np.bool_]
    held_out_groups: NDArray[np.int64]
    held_out: NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """Unlabelled groups of a split: post, stratum (-1: not assigned yet) and random key, all (n,)."""

    posts: NDArray[np.int64]
    strata: NDArray[np.int64]
    draws: NDArray[np.float64]


def read_servable(
    project: Project, labelled: Collection[int | None], new_imports: Collection[int], rng: np.random.Generator
) -> Servable:
    kind = _kinds(project, labelled)
    chosen, is_new = np.zeros(len(kind), np.int64), np.zeros(len(kind), bool)
    draws = np.full(len(kind), -1.0)
    for posts, groups, imports in _grouped(project):
        has_kind = groups < len(kind)  # newer groups come with the next plan
        is_pool, is_held_out = has_kind.copy(), has_kind.copy()
        is_pool[has_kind] = kind[groups[has_kind]] == POOL
        is_held_out[has_kind] = kind[groups[has_kind]] > POOL
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
    """Which posts are scored (n,), and their probabilities (n, labels); each part has ascending post ids."""
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
    """(groups,): `POOL`, `LABELLED`, or a larger number for each held-out split."""
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
    """Arrays of post, group and import of the grouped posts without the quarantined ones, in order of post ids."""
    after = 0
    while True:
        with project.database.read() as session:
            posts, groups, imports = _numbers(session, grouped_posts(after).limit(ROWS_AT_ONCE))
        if not len(posts):
            return
        after = int(posts[-1])
        yield posts, groups, imports


def _numbers(session: Session, query: Select[*tuple[Any, ...]]) -> NDArray[np.int64]:
    """(columns, n), read from the driver's cursor: row objects would take four times as long."""
    width = len(query.selected_columns)
    return np.fromiter(chain.from_iterable(_cursor(session, query)), np.int64).reshape(-1, width).T


def _cursor(session: Session, query: Select[*tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    rows: Any = session.connection().execute(query).cursor
    return iter(rows)


def _last_of_each(groups: NDArray[np.int64], by: NDArray[np.float64]) -> NDArray[np.intp]:
    order = np.lexsort((by, groups))
    is_last = np.append(np.diff(groups[order]) != 0, np.ones(min(1, len(order)), bool))
    positions: NDArray[np.intp] = order[is_last]
    return positions


def _draws(keys: Sequence[bytes]) -> NDArray[np.float64]:
    """Keys in [0, 1) that order the groups of a stratum: a hash, so that the order never changes."""
    digests = b"".join(sha256(b"order" + key).digest()[:8] for key in keys)
    return np.frombuffer(digests, ">u8").astype(np.float64) / 2**64
