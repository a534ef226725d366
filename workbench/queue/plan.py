"""What the queue should hold: which posts, in which lane, in which order.

Planned from arrays on short snapshots (`servable`); `swap` then replaces the queue's content.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.standing import labelled_groups
from db.queries.training import labels_by_split
from db.tables import Annotation, Import, Resolution
from trainer.labels import LABELS, Label
from trainer.selection.budget import is_drawn
from trainer.selection.lanes import HELD_OUT, RANDOM, UNCERTAIN, cold_lanes, pool_lanes
from trainer.selection.strata import serving_order
from trainer.selection.strategies import Embed, Positions, confidence
from trainer.statistics.thresholds import CUTS, thousandths
from workbench.posts.counting import NONE_SET_ASIDE, SetAside, count_set_aside
from workbench.project import Project
from workbench.queue.band import BandCounts, count_in_band
from workbench.queue.servable import Servable, read_held_out, read_servable, scores_of
from workbench.scores.round_scores import RoundScores
from workbench.thresholds.policy import band_in_force

HELD_OUT_AT_MOST = 5_000
VIOLATIONS_WANTED = 100
"""Violation labels in test up to which the strata take turns."""
AUDIT_SHARE = 0.2
"""Audit labels wanted for each test label, as in the sizes of the splits."""
DAILY = 3
"""Days with an import, within the newest days, that count as daily arrival of posts."""
SEED = 20_260_101
SCORES_AT_ONCE = 100_000

VectorsOf = Callable[[NDArray[np.int64]], NDArray[np.floating]]
"""Post ids (n,) to vectors (n, d). The implementation needs torch and is in the worker."""


class Entry(NamedTuple):
    """A row of the queue; the fields are the columns of the table, in order."""

    post_id: int
    lane: str
    position: int
    round_number: int | None
    normal: float | None
    suspicious: float | None
    violation: float | None
    inclusion_probability: float | None
    is_answered: bool = False
    board_id: int | None = None
    """Found by the swap, as assignments may change after the plan."""


@dataclass(frozen=True)
class Plan:
    round_number: int | None
    entries: Sequence[Entry]
    band: BandCounts
    widened: int = 0
    left_out: int = 0
    newest_annotation: int = 0
    """Id of the newest annotation in the plan; the swap adds later ones."""
    confidence_histogram: Sequence[int] = ()
    """Unlabelled posts in each thousandth of confidence, by the round's scores."""
    newest_resolution: int = 0
    """Id of the newest resolution in the plan."""
    set_aside: SetAside = NONE_SET_ASIDE
    """For the figures on the pages; these posts are not in the queue."""


def plan(
    project: Project,
    round_number: int | None,
    *,
    vectors: VectorsOf | None = None,
) -> Plan:
    """Plan the queue from the scores of a round, or without any at a cold start."""
    rng = np.random.default_rng(SEED)
    with project.database.read() as session:
        newest = session.scalar(select(func.max(Annotation.id))) or 0
        newest_resolution = session.scalar(select(func.max(Resolution.id))) or 0
        labelled = set(session.scalars(labelled_groups()))
        new_imports = imports_to_serve_first(session, project)
        limits, composition = band_in_force(session, project), project.settings.composition
        counts, set_aside = _counts(session), count_set_aside(session)
    servable = read_servable(project, labelled, new_imports, rng)
    held_out = _held_out_entries(project, servable, counts)
    if round_number is None:
        pool = servable.pool
        lanes = cold_lanes(len(pool), embed=embed_with(vectors, pool), rng=rng)
        return Plan(
            None,
            lane_entries(lanes, pool) + held_out,
            BandCounts(0, 0),
            newest_annotation=newest,
            newest_resolution=newest_resolution,
            set_aside=set_aside,
        )
    draw = Draw.of_round(project, round_number)
    posts, is_new, probabilities = scored_pool(project, round_number, servable, rng)
    stood_for = draw.among(servable.pool, posts)
    del servable
    lanes = pool_lanes(
        probabilities,
        composition,
        limits,
        embed=embed_with(vectors, posts),
        rng=rng,
        is_new=is_new,
        is_drawn=draw.of(posts),
    )
    band = count_in_band(limits, probabilities)
    inside = int((probabilities[lanes[UNCERTAIN]].max(axis=1, initial=0) <= limits.high).sum())
    return Plan(
        round_number,
        lane_entries(lanes, posts, round_number, probabilities, stood_for) + held_out,
        band,
        widened=len(lanes[UNCERTAIN]) - inside,
        left_out=max(0, band.in_band + band.below_band - limits.at_most),
        newest_annotation=newest,
        confidence_histogram=_histogram_of(probabilities),
        newest_resolution=newest_resolution,
        set_aside=set_aside,
    )


def count_thousandths(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Counts (1001,) of scores in each thousandth from 0; the last place counts scores of exactly 1."""
    return np.bincount(thousandths(scores), minlength=len(CUTS) - 1)


def scored_pool(
    project: Project, round_number: int, servable: Servable, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.float32]]:
    """The scored posts of the pool (n,) in random order, whether each is new (n,), and its scores (n, labels)."""
    is_scored, probabilities = scores_of(servable.pool, RoundScores.of(project, round_number).parts())
    order = rng.permutation(np.flatnonzero(is_scored))
    return servable.pool[order], servable.is_new[order], probabilities[order]


def _histogram_of(probabilities: NDArray[np.float32]) -> list[int]:
    counts = np.zeros(len(CUTS) - 1, np.int64)
    for start in range(0, len(probabilities), SCORES_AT_ONCE):
        counts += count_thousandths(confidence(probabilities[start : start + SCORES_AT_ONCE]))
    return [int(count) for count in counts]


def imports_to_serve_first(session: Session, project: Project) -> set[int]:
    """Imports whose posts come first: those of the newest days, if posts arrive daily."""
    since = project.now() - timedelta(days=project.settings.newest_days)
    rows = session.execute(select(Import.id, Import.started_at).where(Import.started_at > since)).all()
    return {row.id for row in rows} if len({row.started_at.date() for row in rows}) >= DAILY else set()


@dataclass(frozen=True)
class Draw:
    """The random part of the scored posts.

    If a pass left posts out, these are the posts drawn by all passes; `last` is the newest post considered.
    """

    chance: float = 1.0
    last: int = 0

    @classmethod
    def of_round(cls, project: Project, round_number: int) -> "Draw":
        scores = RoundScores.of(project, round_number)
        return cls(scores.lowest_rate(), scores.last_scored()) if scores.coverage() else cls()

    def of(self, post_ids: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """(n,), or None if every post was scored."""
        return None if self.chance == 1.0 else is_drawn(post_ids, self.chance)

    def among(self, pool: NDArray[np.int64], scored: NDArray[np.int64]) -> int:
        return len(scored) if self.chance == 1.0 else int((pool <= self.last).sum())


def embed_with(vectors: VectorsOf | None, post_ids: NDArray[np.int64]) -> Embed | None:
    return None if vectors is None else lambda positions: vectors(post_ids[positions])


def _counts(session: Session) -> dict[str, dict[str | None, int]]:
    counts: dict[str, dict[str | None, int]] = {}
    for split, label, count in session.execute(labels_by_split(LABELS)):
        counts.setdefault(split, {})[label] = count
    return counts


def _held_out_entries(
    project: Project, servable: Servable, counts: Mapping[str, Mapping[str | None, int]]
) -> list[Entry]:
    """Entries for the splits that lack labels; strata take turns until test has enough violations."""
    is_even = counts.get("test", {}).get(Label.VIOLATION, 0) < VIOLATIONS_WANTED
    served: list[tuple[float, int]] = []
    for split, wanted in _held_out_wanted(project, counts).items():
        unlabelled = read_held_out(project, split, servable)
        order = serving_order(unlabelled.strata, unlabelled.draws, is_even=is_even)[:HELD_OUT_AT_MOST]
        # Splits take turns in proportion to their missing labels; all their posts are queued.
        served += [((at + 0.5) / wanted, post) for at, post in enumerate(unlabelled.posts[order].tolist())]
    posts = np.array([post for _, post in sorted(served)[:HELD_OUT_AT_MOST]], dtype=np.int64)
    return _entries(HELD_OUT, posts)


def _held_out_wanted(project: Project, counts: Mapping[str, Mapping[str | None, int]]) -> dict[str, float]:
    have = {split: sum(counts.get(split, {}).values()) for split in ("validation", "test")}
    validation = project.settings.validation_target - have["validation"]
    test = project.settings.test_target - have["test"]
    wanted = {"validation": validation, "test": test, "audit": test * AUDIT_SHARE}
    return {split: count for split, count in wanted.items() if count > 0}


def lane_entries(
    lanes: Mapping[str, Positions],
    post_ids: NDArray[np.int64],
    round_number: int | None = None,
    probabilities: NDArray[np.float32] | None = None,
    posts: int | None = None,
) -> list[Entry]:
    """Queue rows of every lane.

    The random lane gets its inclusion probability, relative to `posts` or the number of `post_ids`.
    Probabilities are those of a round, which people see beside the post.
    """
    entries: list[Entry] = []
    for lane, positions in lanes.items():
        chance = len(positions) / max(1, posts or len(post_ids)) if lane == RANDOM else None
        shown = None if probabilities is None else probabilities[positions]
        entries += _entries(lane, post_ids[positions], round_number, shown, chance)
    return entries


def _entries(
    lane: str,
    post_ids: NDArray[np.int64],
    round_number: int | None = None,
    probabilities: NDArray[np.float32] | None = None,
    chance: float | None = None,
) -> list[Entry]:
    shown = [(None, None, None)] * len(post_ids) if probabilities is None else probabilities.tolist()
    return [
        Entry(post_id, lane, position, round_number, normal, suspicious, violation, chance)
        for position, (post_id, (normal, suspicious, violation)) in enumerate(
            zip(post_ids.tolist(), shown, strict=True)
        )
    ]
