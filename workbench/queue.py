"""The queue: which posts are waiting for people, in which lane, in what order.

Rebuilt in one short transaction after every promotion and import. Claims are not touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from db.queries import labelled_groups, labels_by_split, servable_posts
from db.tables import Champion, QueueEntry
from trainer.config import LABELS
from trainer.query import band, below_band, in_band
from workbench.project import Project
from workbench.scores import Scores, read_scores

HELD_OUT_AT_MOST = 5_000
SEED = 20_260_101


@dataclass(frozen=True)
class BandCounts:
    """Pool posts without a label, by what the champion thinks of them."""

    in_band: int
    below_band: int


@dataclass(frozen=True)
class _Servable:
    """Posts nobody has labelled, at most one a group; aligned arrays."""

    post_ids: NDArray[np.int64]
    splits: NDArray[np.str_]


def rebuild(project: Project) -> int:
    """Fill the queue again from the champion's scores. Returns the number of entries."""
    with project.database.read() as session:
        entries = plan(session, project, champion_number(session))
    with project.database.write() as session:
        replace(session, entries)
    return len(entries)


def champion_number(session: Session) -> int | None:
    """The round whose adapter is in use."""
    champion = session.get(Champion, 1)
    return None if champion is None else champion.round_number


def replace(session: Session, entries: Sequence[dict[str, object]]) -> None:
    """Swap the queue's content in the caller's transaction."""
    session.execute(delete(QueueEntry))
    if entries:
        session.connection().execute(insert(QueueEntry), list(entries))


def plan(session: Session, project: Project, round_number: int | None) -> list[dict[str, object]]:
    """What the queue should hold with the scores of a round; random posts where there are none yet."""
    rng = np.random.default_rng(SEED)
    posts = _servable(session, rng)
    is_pool = posts.splits == "pool"
    pool = posts.post_ids[is_pool]
    if round_number is None:
        entries = _entries("random", pool[: project.settings.queue_at_most], None, None, len(pool))
    else:
        scores = read_scores(project.round_folder(round_number) / "scores").of(pool)
        order = band(
            scores.probabilities, project.settings.band_high, at_least=project.settings.queue_at_least
        )
        order = order[: project.settings.queue_at_most]
        chosen = Scores(scores.post_ids[order], scores.probabilities[order])
        entries = _entries("uncertain", chosen.post_ids, round_number, chosen.probabilities, None)
    wanted = _splits_wanted(session, project)
    held_out = posts.post_ids[np.isin(posts.splits, wanted)]
    return entries + _entries("held_out", held_out[:HELD_OUT_AT_MOST], None, None, len(held_out))


def band_counts(session: Session, project: Project) -> BandCounts:
    """How many pool posts without a label lie in the band and below it, now."""
    number = champion_number(session)
    if number is None:
        return BandCounts(0, 0)
    rows = session.execute(servable_posts()).all()
    pool = np.array(sorted(row.id for row in rows if row.split == "pool"), dtype=np.int64)
    probabilities = read_scores(project.round_folder(number) / "scores").of(pool).probabilities
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
