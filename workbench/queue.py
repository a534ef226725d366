"""The queue: which posts are waiting for people, in which lane, in what order.

Rebuilt in one short transaction after every promotion and import. Claims are not touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from db.queries import is_answered, labelled_groups, labels_by_split, servable_posts
from db.tables import Champion, QueueEntry, QueueState
from trainer.config import LABELS
from trainer.query import band, below_band, in_band
from workbench.project import Project
from workbench.scores import read_scores

HELD_OUT_AT_MOST = 5_000
SEED = 20_260_101


@dataclass(frozen=True)
class BandCounts:
    """Posts of the pool that wait for a label, by what the adapter in use thinks of them."""

    in_band: int
    below_band: int


@dataclass(frozen=True)
class _Servable:
    """Posts nobody has labelled, at most one a group; aligned arrays."""

    post_ids: NDArray[np.int64]
    splits: NDArray[np.str_]


@dataclass(frozen=True)
class Plan:
    """What the queue should hold, and the state of the band it was made from."""

    round_number: int | None
    entries: Sequence[dict[str, object]]
    band: BandCounts


def rebuild(project: Project) -> int:
    """Fill the queue again from the champion's scores. Returns the number of entries."""
    with project.database.read() as session:
        made = plan(session, project, champion_number(session))
    with project.database.write() as session:
        replace(session, project, made)
    return len(made.entries)


def champion_number(session: Session) -> int | None:
    """The round whose adapter is in use."""
    champion = session.get(Champion, 1)
    return None if champion is None else champion.round_number


def replace(session: Session, project: Project, made: Plan) -> None:
    """Swap the queue's content in the caller's transaction."""
    session.execute(delete(QueueEntry))
    if made.entries:
        session.connection().execute(insert(QueueEntry), list(made.entries))
    session.merge(
        QueueState(
            id=1,
            round_number=made.round_number,
            in_band=made.band.in_band,
            below_band=made.band.below_band,
            built_at=project.now(),
        )
    )


def plan(session: Session, project: Project, round_number: int | None) -> Plan:
    """What the queue should hold with the scores of a round; random posts where there are none yet."""
    rng = np.random.default_rng(SEED)
    posts = _servable(session, rng)
    pool = posts.post_ids[posts.splits == "pool"]
    entries, counts = _pool_entries(project, pool, round_number)
    held_out = posts.post_ids[np.isin(posts.splits, _splits_wanted(session, project))]
    entries += _entries("held_out", held_out[:HELD_OUT_AT_MOST], None, None, len(held_out))
    return Plan(round_number, entries, counts)


def band_counts(session: Session, project: Project) -> BandCounts:
    """How many posts to label lie in the band and below it, now; of near-copies one counts."""
    state = session.get(QueueState, 1)
    if state is None:
        return BandCounts(0, 0)
    answered = select(QueueEntry).where(QueueEntry.lane == "uncertain", is_answered())
    scores = [(entry.normal, entry.suspicious, entry.violation) for entry in session.scalars(answered)]
    done = _count(project, np.array(scores, dtype=np.float64).reshape(-1, len(LABELS)))
    return BandCounts(state.in_band - done.in_band, state.below_band - done.below_band)


def _pool_entries(
    project: Project, pool: NDArray[np.int64], round_number: int | None
) -> tuple[list[dict[str, object]], BandCounts]:
    limit = project.settings.queue_at_most
    if round_number is None:
        return _entries("random", pool[:limit], None, None, len(pool)), BandCounts(0, 0)
    scores = read_scores(project.round_folder(round_number) / "scores").of(pool)
    order = band(scores.probabilities, project.settings.band_high, at_least=project.settings.queue_at_least)[
        :limit
    ]
    entries = _entries("uncertain", scores.post_ids[order], round_number, scores.probabilities[order], None)
    return entries, _count(project, scores.probabilities)


def _count(project: Project, probabilities: NDArray[np.floating]) -> BandCounts:
    low, high = project.settings.band_low, project.settings.band_high
    return BandCounts(int(in_band(probabilities, low, high).sum()), int(below_band(probabilities, low).sum()))


def _servable(session: Session, rng: np.random.Generator) -> _Servable:
    labelled = set(session.scalars(labelled_groups()))
    rows = [row for row in session.execute(servable_posts()) if row.group_id not in labelled]
    shuffled = [rows[place] for place in rng.permutation(len(rows))]
    one_a_group = list({row.group_id: row for row in shuffled}.values())
    return _Servable(
        np.array([row.id for row in one_a_group], dtype=np.int64),
        np.array([row.split for row in one_a_group], dtype=np.str_),
    )


def _splits_wanted(session: Session, project: Project) -> list[str]:
    """The held-out splits that still lack labels; audit is filled beside test."""
    have = {"validation": 0, "test": 0}
    for split, _label, count in session.execute(labels_by_split()):
        have[split] = have.get(split, 0) + count
    wanted = ["validation"] if have["validation"] < project.settings.validation_target else []
    return wanted + (["test", "audit"] if have["test"] < project.settings.test_target else [])


def _entries(
    lane: str,
    post_ids: NDArray[np.int64],
    round_number: int | None,
    probabilities: NDArray[np.float32] | None,
    drawn_from: int | None,
) -> list[dict[str, object]]:
    """Queue rows in order; `drawn_from` is the size of the population where the draw was random."""
    nothing = dict.fromkeys(LABELS)
    chance = None if drawn_from is None else min(1.0, len(post_ids) / max(1, drawn_from))
    return [
        {
            "post_id": int(post_id),
            "lane": lane,
            "position": position,
            "round_number": round_number,
            "inclusion_probability": chance,
            **(nothing if probabilities is None else _by_label(probabilities[position])),
        }
        for position, post_id in enumerate(post_ids)
    ]


def _by_label(probabilities: NDArray[np.float32]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(LABELS, probabilities, strict=True)}
