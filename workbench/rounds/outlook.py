"""Expected gain and cost of the next labels, and the stopping hint. Light enough for pages.

The learning curve covers the rounds comparable to the champion: equal base encoder, equal kind (a trial stops
early and learns less from as many labels) and equal labels among the test posts. Every measured round counts,
whether promoted, rejected or waiting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries.rounds import rounds_by_number
from db.queries.training import labels_by_split
from db.tables import Annotation, Champion, Round
from trainer.labels import LABELS
from trainer.selection.forecast import Gain, expected_gain
from trainer.selection.lanes import HELD_OUT, turns
from trainer.selection.stopping import ROUNDS, StoppingHint, stopping_hint
from workbench.project import Project
from workbench.rounds.new_labels import read_new_labels
from workbench.scores.round_scores import RoundScores

MORE = 100
IDLE = timedelta(minutes=2)
"""A post that is open longer than this is not being worked on."""
RECENT = 200
FEWEST_TIMED = 30
SECONDS_EACH = 7.0
"""Default below `FEWEST_TIMED` timed labels: an experienced annotator with a short post."""
FEWEST_ROUNDS = 2
"""From a single round nothing is forecast."""
FIXED_POSTS = 2_000
AMONG_FIRST = 20_000
"""The fixed posts come from this many scores, so that a page never reads ten million."""


@dataclass(frozen=True)
class Outlook:
    """`gain` is that of the next 100 labels, None from a single round; `minutes` one annotator's time for them.

    Part of the 100 labels is held out and does not train: the recent share, or the one in the settings.
    """

    gain: Gain | None
    minutes: float
    rounds: int
    """Number of measured rounds behind the forecast."""
    new_labels: int
    hint: StoppingHint

    def to_dict(self) -> dict[str, Any]:
        return {
            "gain": None if self.gain is None else self.gain.mean,
            "interval": None if self.gain is None else list(self.gain.interval),
            "minutes": self.minutes,
        }


@dataclass(frozen=True)
class Point:
    number: int
    labels: int
    score: float
    error: float
    was_used: bool


def read_outlook(project: Project) -> Outlook | None:
    with project.database.read() as session:
        champion = session.get(Champion, 1)
        row = None if champion is None else session.get(Round, champion.round_number)
        points = [] if row is None else curve(session, row)
        if row is None or not points:
            return None
        gaps, training_share = recent_labels(session, project)
        gain = _gain(session, points, training_share) if len(points) >= FEWEST_ROUNDS else None
        minutes = MORE * seconds_each(gaps) / 60
        new = read_new_labels(session).count
    return Outlook(gain, minutes, len(points), new, hint_from(project, points))


def _gain(session: Session, points: Sequence[Point], training_share: float) -> Gain:
    labelled = session.execute(labels_by_split(LABELS))
    return expected_gain(
        [point.labels for point in points],
        [point.score for point in points],
        [point.error for point in points],
        more=max(round(MORE * training_share), 1),
        since=sum(count for split, _, count in labelled if split == "pool"),
    )


def curve(session: Session, like: Round) -> list[Point]:
    """The measured rounds comparable to `like`, oldest first."""
    counted = _metrics(like).get("labels_counted")
    return [
        point
        for row in reversed(session.scalars(rounds_by_number()).all())
        if (row.base, row.is_quick) == (like.base, like.is_quick)
        if _metrics(row).get("labels_counted") == counted
        if (point := _point(row)) is not None
    ]


def recent_labels(session: Session, project: Project) -> tuple[list[float], float]:
    """Seconds from showing to saving the newest labels, without idle ones, and the share of labels that train."""
    newest = (
        select(Annotation.shown_at, Annotation.saved_at, Annotation.lane)
        .where(
            Annotation.action == "label",
            Annotation.origin == "person",
            Annotation.shown_at.is_not(None),
            # A corrected label keeps the time at which its post was first shown.
            Annotation.supersedes_id.is_(None),
        )
        .order_by(Annotation.id.desc())
        .limit(RECENT)
    )
    rows = session.execute(newest).all()
    gaps = [row.saved_at - row.shown_at for row in rows if row.shown_at is not None]
    seconds = [gap.total_seconds() for gap in gaps if timedelta(0) < gap <= IDLE]
    if len(rows) < FEWEST_TIMED:
        cycle = turns(project.settings.composition)
        return seconds, 1 - cycle.count(HELD_OUT) / len(cycle)
    return seconds, sum(row.lane != HELD_OUT for row in rows) / len(rows)


def seconds_each(gaps: Sequence[float]) -> float:
    return SECONDS_EACH if len(gaps) < FEWEST_TIMED else float(np.median(gaps))


def hint_from(project: Project, points: Sequence[Point]) -> StoppingHint:
    # A round may have scores and never have been used.
    of_round = {point: RoundScores.of(project, point.number) for point in points if point.was_used}
    newest = [point for point in of_round if of_round[point].count()][-ROUNDS - 1 :]
    scores = [of_round[point].read_first(AMONG_FIRST) for point in newest]
    posts = fixed_posts([round_scores.post_ids for round_scores in scores])
    predicted = [round_scores.of(posts).probabilities.argmax(axis=1) for round_scores in scores]
    return stopping_hint(predicted, [point.score for point in newest])


def fixed_posts(scored: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    if not scored:
        return np.empty(0, np.int64)
    common = reduce(np.intersect1d, scored)
    hashes = common.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # Knuth's multiplicative hash
    return np.sort(common[np.argsort(hashes)[:FIXED_POSTS]])


def _metrics(row: Round) -> dict[str, Any]:
    return (row.report or {}).get("metrics") or {}


def _point(row: Round) -> Point | None:
    metrics = _metrics(row)
    labels = (row.report or {}).get("card", {}).get("data", {}).get("train", {}).get("rows")
    if not labels or metrics.get("macro_f1") is None:
        return None
    low, high = metrics["macro_f1_interval"]
    # An empty or missing interval means too few test rows: use the largest error that they allow.
    error = 0.5 / np.sqrt(metrics["n"]) if low is None or high <= low else (high - low) / (2 * 1.96)
    return Point(row.number, labels, metrics["macro_f1"], float(error), row.state == "promoted")
