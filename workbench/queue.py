"""The queue: which posts are waiting for people, in which lane, in what order.

Rebuilt in one short transaction after every promotion and import. Claims are not touched.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from db.queries import (
    groups_without_stratum,
    labelled_groups,
    labels_by_split,
    servable_held_out,
    servable_pool,
)
from db.tables import Annotation, Champion, Import, PostGroup, QueueEntry, QueueState, Resolution
from trainer.budget import is_drawn
from trainer.config import LABELS
from trainer.lanes import HELD_OUT, RANDOM, UNCERTAIN, Band, cold_lanes, pool_lanes
from trainer.query import Embed, Positions, below_band, confidence, in_band
from trainer.strata import DRAWN, serving_order, strata
from trainer.thresholds import CUTS, thousandths
from workbench.policy import band_in_force
from workbench.project import Project
from workbench.scores import Scores, coverage, is_fair, last_scored, lowest_rate, read_scores, was_left_out
from workbench.serving import note_answers

HELD_OUT_AT_MOST = 5_000
VIOLATIONS_WANTED = 100
"""In test, before its strata are no longer served alike."""
AUDIT_SHARE = 0.2
"""Audit posts for each test post, as the splits are drawn."""
DAILY = 3
"""Different days with an import, of the newest ones, from which posts are said to arrive daily."""
SEED = 20_260_101
CHUNK = 2_000

VectorsOf = Callable[[NDArray[np.int64]], NDArray[np.floating]]
"""Post ids in, one vector each out: the door to it is in `scoring`, which needs torch."""


@dataclass(frozen=True)
class BandCounts:
    """Posts of the pool that wait for a label, by what the adapter in use thinks of them."""

    in_band: int
    below_band: int


@dataclass(frozen=True)
class Plan:
    """What the queue should hold, and the state of the band it was made from."""

    round_number: int | None
    entries: Sequence[dict[str, object]]
    band: BandCounts
    widened: int = 0
    left_out: int = 0
    newest_annotation: int = 0
    """The last one it knows of: later answers are looked up when it takes effect."""
    waiting: Sequence[int] = ()
    """How many posts to label lie in each thousandth of confidence, by the round's scores."""
    newest_resolution: int = 0
    """The same of a lead's decisions."""


def rebuild(project: Project, *, vectors: VectorsOf | None = None, cold: Scores | None = None) -> int:
    """Fill the queue again from the champion's scores. Returns the number of entries.

    `vectors` spread a lane over different posts; `cold` scores the pool while there is no champion.
    """
    with project.database.read() as session:
        made = plan(session, project, champion_number(session), vectors=vectors, cold=cold)
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
    answered = select(Annotation.post_id).where(Annotation.id > made.newest_annotation)
    decided = select(Resolution.post_id).where(Resolution.id > made.newest_resolution)
    note_answers(session, {*session.scalars(answered), *session.scalars(decided)})
    session.merge(
        QueueState(
            id=1,
            round_number=made.round_number,
            in_band=made.band.in_band,
            below_band=made.band.below_band,
            widened=made.widened,
            left_out=made.left_out,
            built_at=project.now(),
        )
    )
    keep_waiting(project, made.waiting)


def plan(
    session: Session,
    project: Project,
    round_number: int | None,
    *,
    vectors: VectorsOf | None = None,
    cold: Scores | None = None,
) -> Plan:
    """What the queue should hold with the scores of a round, or at a cold start where there is none yet."""
    rng = np.random.default_rng(SEED)
    newest = session.scalar(select(func.max(Annotation.id))) or 0
    newest_resolution = session.scalar(select(func.max(Resolution.id))) or 0
    pool, imports = _pool(session, rng)
    is_new = np.isin(imports, list(_new_imports(session, project)))
    held_out = _held_out_entries(session, project)
    if round_number is None and cold is None:
        lanes = cold_lanes(len(pool), embed=_embed(vectors, pool), rng=rng)
        entries = _lane_entries(lanes, pool) + held_out
        return Plan(
            None,
            entries,
            BandCounts(0, 0),
            newest_annotation=newest,
            newest_resolution=newest_resolution,
        )
    scores = cold if round_number is None else read_scores(project.round_folder(round_number) / "scores")
    assert scores is not None
    known = scores.of(pool)
    limits, composition = band_in_force(session, project), project.settings.composition
    draw = _Draw.of_round(project, round_number)
    lanes = pool_lanes(
        known.probabilities,
        composition,
        limits,
        embed=_embed(vectors, known.post_ids),
        rng=rng,
        is_new=is_new[np.isin(pool, known.post_ids)],
        is_drawn=draw.of(known.post_ids),
    )
    counts = _count(limits, known.probabilities) if round_number is not None else BandCounts(0, 0)
    inside = int((known.probabilities[lanes[UNCERTAIN]].max(axis=1, initial=0) <= limits.high).sum())
    return Plan(
        round_number,
        _lane_entries(
            lanes, known.post_ids, round_number, known.probabilities, draw.among(pool, known.post_ids)
        )
        + held_out,
        counts,
        widened=len(lanes[UNCERTAIN]) - inside,
        left_out=max(0, counts.in_band + counts.below_band - limits.at_most),
        newest_annotation=newest,
        waiting=() if round_number is None else count_thousandths(confidence(known.probabilities)).tolist(),
        newest_resolution=newest_resolution,
    )


def count_thousandths(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """How many scores lie in each thousandth from 0 on; 1 has a place of its own."""
    return np.bincount(thousandths(scores), minlength=len(CUTS) - 1)


def waiting(project: Project) -> NDArray[np.int64]:
    """How many posts to label lay in each thousandth of confidence when the queue was filled; all 0 before a round.

    In a file, as a page that moves the band must not read the whole pool.
    """
    file = _waiting_file(project)
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    return np.array(found or [0] * (len(CUTS) - 1), dtype=np.int64)


def keep_waiting(project: Project, counts: Sequence[int]) -> None:
    """Replace what `waiting` tells."""
    part = _waiting_file(project).with_suffix(".part")
    part.write_text(json.dumps(list(counts)), encoding="utf-8")
    part.replace(_waiting_file(project))


def give_strata(project: Project, round_number: int) -> None:
    """Give every held-out group its stratum by the first score it gets, once and for ever.

    Where not all were scored, to those that were drawn alone: what people had labelled before was scored too, and would
    be no random part of its stratum.
    """
    folder, after = project.round_folder(round_number) / "scores", 0
    scores = read_scores(folder)
    while True:
        with project.database.read() as session:
            rows = session.execute(groups_without_stratum(after, CHUNK)).all()
        if not rows:
            return
        after = rows[-1][0]
        firsts = np.array([row[1] for row in rows], dtype=np.int64)
        known = scores.of(firsts[is_fair(folder, firsts)])
        if not len(known.post_ids):
            continue
        groups = {post: group for group, post in rows}
        found = strata(known.probabilities[:, LABELS.index("violation")])
        found += np.where(was_left_out(folder, known.post_ids), DRAWN, 0)
        values = [
            {"group": groups[int(post)], "stratum": int(stratum)}
            for post, stratum in zip(known.post_ids, found, strict=True)
        ]
        change = update(PostGroup).where(PostGroup.id == bindparam("group"))
        with project.database.write() as session:
            session.connection().execute(change.values(stratum=bindparam("stratum")), values)


def band_counts(session: Session, project: Project) -> BandCounts:
    """How many posts to label lie in the band and below it, now; of near-copies one counts."""
    state = session.get(QueueState, 1)
    if state is None:
        return BandCounts(0, 0)
    answered = select(QueueEntry).where(QueueEntry.round_number.is_not(None), QueueEntry.is_answered)
    scores = [(entry.normal, entry.suspicious, entry.violation) for entry in session.scalars(answered)]
    # The band the queue was filled by: a newer one counts once its queue is there.
    limits = band_in_force(session, project, at=state.built_at)
    done = _count(limits, np.array(scores, dtype=np.float64).reshape(-1, len(LABELS)))
    return BandCounts(state.in_band - done.in_band, state.below_band - done.below_band)


def _count(limits: Band, probabilities: NDArray[np.floating]) -> BandCounts:
    return BandCounts(
        int(in_band(probabilities, limits.low, limits.high).sum()),
        int(below_band(probabilities, limits.low).sum()),
    )


def _waiting_file(project: Project) -> Path:
    return project.data / "waiting.json"


def _pool(session: Session, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One post of each group nobody has labelled, in random order, and the import each came with."""
    labelled = set(session.scalars(labelled_groups()))
    rows = [row for row in session.execute(servable_pool()) if row.group_id not in labelled]
    one_a_group = list({rows[at].group_id: rows[at] for at in rng.permutation(len(rows))}.values())
    return (
        np.array([row.id for row in one_a_group], dtype=np.int64),
        np.array([row.import_id for row in one_a_group], dtype=np.int64),
    )


def _new_imports(session: Session, project: Project) -> set[int]:
    """The imports whose posts come first: those of the newest days, where posts arrive daily."""
    since = project.now() - timedelta(days=project.settings.newest_days)
    rows = session.execute(select(Import.id, Import.started_at).where(Import.started_at > since)).all()
    return {row.id for row in rows} if len({row.started_at.date() for row in rows}) >= DAILY else set()


@dataclass(frozen=True)
class _Draw:
    """Which scored posts nobody chose. Where a pass left posts out, those that every pass drew; `last` it looked at."""

    chance: float = 1.0
    last: int = 0

    @classmethod
    def of_round(cls, project: Project, round_number: int | None) -> "_Draw":
        if round_number is None:
            return cls()
        folder = project.round_folder(round_number) / "scores"
        return cls(lowest_rate(folder), last_scored(folder)) if coverage(folder) else cls()

    def of(self, post_ids: NDArray[np.int64]) -> NDArray[np.bool_] | None:
        """(n,), None where all were scored."""
        return None if self.chance == 1.0 else is_drawn(post_ids, self.chance)

    def among(self, pool: NDArray[np.int64], scored: NDArray[np.int64]) -> int:
        """How many posts those drawn stand for."""
        return len(scored) if self.chance == 1.0 else int((pool <= self.last).sum())


def _embed(vectors: VectorsOf | None, post_ids: NDArray[np.int64]) -> Embed | None:
    return None if vectors is None else lambda positions: vectors(post_ids[positions])


def _held_out_entries(session: Session, project: Project) -> list[dict[str, object]]:
    """Of the splits that still lack labels, strata in turn until test has the violations it wants."""
    counts: dict[str, dict[str | None, int]] = {}
    for split, label, count in session.execute(labels_by_split()):
        counts.setdefault(split, {})[label] = count
    is_even = counts.get("test", {}).get("violation", 0) < VIOLATIONS_WANTED
    labelled = set(session.scalars(labelled_groups()))
    served: list[tuple[float, int]] = []
    for split, wanted in _held_out_wanted(project, counts).items():
        order = _held_out_order(session, split, labelled, is_even=is_even)
        # Splits take turns by what they lack, and everything they hold is queued: more than is lacking.
        served += [((at + 0.5) / wanted, post) for at, post in enumerate(order)]
    posts = np.array([post for _, post in sorted(served)[:HELD_OUT_AT_MOST]], dtype=np.int64)
    return _entries(HELD_OUT, posts)


def _held_out_order(session: Session, split: str, labelled: set[int | None], *, is_even: bool) -> list[int]:
    rows = [row for row in session.execute(servable_held_out(split)) if row.group_id not in labelled]
    first = list({row.group_id: row for row in reversed(rows)}.values())
    kinds = np.array([-1 if row.stratum is None else row.stratum for row in first], dtype=np.int64)
    luck = np.array([_luck(row.key) for row in first], dtype=np.float64)
    return [first[at].id for at in serving_order(kinds, luck, is_even=is_even)]


def _luck(key: bytes) -> float:
    """Where a group stands in the order of its stratum: drawn by hash, so that it is the same for ever."""
    return int.from_bytes(sha256(b"order" + key).digest()[:8]) / 2**64


def _held_out_wanted(project: Project, counts: Mapping[str, Mapping[str | None, int]]) -> dict[str, float]:
    """How many labels each held-out split still lacks; audit is filled beside test."""
    have = {split: sum(counts.get(split, {}).values()) for split in ("validation", "test")}
    validation = project.settings.validation_target - have["validation"]
    test = project.settings.test_target - have["test"]
    wanted = {"validation": validation, "test": test, "audit": test * AUDIT_SHARE}
    return {split: count for split, count in wanted.items() if count > 0}


def _lane_entries(
    lanes: Mapping[str, Positions],
    post_ids: NDArray[np.int64],
    round_number: int | None = None,
    probabilities: NDArray[np.float32] | None = None,
    posts: int | None = None,
) -> list[dict[str, object]]:
    """Queue rows of every lane; the chance is known where it was drawn from all, `posts` or as many as `post_ids`.

    Probabilities are kept for a round's scores only: nobody is to be shown what a cold start guesses.
    """
    entries: list[dict[str, object]] = []
    for lane, positions in lanes.items():
        chance = len(positions) / max(1, posts or len(post_ids)) if lane == RANDOM else None
        shown = None if probabilities is None or round_number is None else probabilities[positions]
        entries += _entries(lane, post_ids[positions], round_number, shown, chance)
    return entries


def _entries(
    lane: str,
    post_ids: NDArray[np.int64],
    round_number: int | None = None,
    probabilities: NDArray[np.float32] | None = None,
    chance: float | None = None,
) -> list[dict[str, object]]:
    nothing = dict.fromkeys(LABELS)
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
