"""Comparison of two rounds: their metrics, their reliability, and the posts whose verdict differs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from db.queries.training import compared_posts
from db.tables import Round
from trainer.labels import LABELS
from trainer.selection.lanes import Band
from trainer.statistics.differences import Differences, differences
from trainer.statistics.metrics import reliability
from workbench.accounts import Account, Right, reading
from workbench.errors import RoundError
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.rounds.flips import Change, Flips, find_flips
from workbench.scores.round_scores import RoundScores
from workbench.thresholds.policy import band_in_force, in_force

EXAMPLES = 20
RESAMPLES = 2_000
COLUMNS = [f"p_{label}" for label in LABELS]
LOOKED_AT = 100
"""Largest changes to read. Held-out posts, which are labelled blind, are removed afterwards."""


@dataclass(frozen=True)
class Example:
    external_id: str
    text: str
    before: Sequence[float]
    after: Sequence[float]
    labels: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        return {
            "id": self.external_id,
            "text": self.text,
            "before": dict(zip(LABELS, self.before, strict=True)),
            "after": dict(zip(LABELS, self.after, strict=True)),
            "labels": list(self.labels),
        }


@dataclass(frozen=True)
class Bin:
    weight: float
    confidence: float
    right: float


@dataclass(frozen=True)
class Side:
    facts: dict[str, Any]
    reliability: Sequence[Bin]
    test_sha256: str | None

    @property
    def number(self) -> int:
        return int(self.facts["number"])


@dataclass(frozen=True)
class RoundComparison:
    """`flips` is None if one of the rounds has no scores; `band` is the band in force, used for the counts.

    `differences` are on the test posts that both were measured on, as their own figures come from other posts each;
    None if there are none.
    `is_sample`: one of the rounds did not score every post, so the flips cover posts that both drew at random.
    """

    first: Side
    second: Side
    flips: Flips | None
    examples: dict[str, list[Example]]
    band: Band
    is_sample: bool = False
    differences: Differences | None = None

    @property
    def is_same_test(self) -> bool:
        return self.first.test_sha256 is not None and self.first.test_sha256 == self.second.test_sha256

    def to_dict(self) -> dict[str, Any]:
        return {
            "rounds": [_side(self.first), _side(self.second)],
            "same_test_posts": self.is_same_test,
            "differences": None if self.differences is None else asdict(self.differences),
            "band": [self.band.low, self.band.high],
            "flips": None if self.flips is None else _counts(self.flips),
            "flips_are_of_a_sample": self.is_sample,
            "examples": {
                kind: [one.to_dict() for one in examples] for kind, examples in self.examples.items()
            },
        }


def compare_rounds(project: Project, account: Account, first: int, second: int) -> RoundComparison:
    """Raises RoundError for an unknown round or two equal numbers, NotAllowedError if `account` is not a lead."""
    with reading(project, account, Right.RUN_ROUNDS) as session:
        if first == second:
            raise RoundError("Name two different rounds to compare.")
        one, other = (
            _read_side(project, session, lifecycle.find(session, number)) for number in (first, second)
        )
        band = band_in_force(session, project)
    # Outside the snapshot: reading ten million scores takes a while.
    changes = _differences(*(_test_probabilities(project, number) for number in (first, second)))
    scores = [RoundScores.of(project, number) for number in (first, second)]
    if not all(each.count() for each in scores):
        return RoundComparison(one, other, None, {}, band, differences=changes)
    flips = find_flips(*(each.fair() for each in scores), low=band.low, high=band.high, most=LOOKED_AT)
    with project.database.read() as session:
        examples = {kind: _examples(session, changes) for kind, changes in flips.largest.items()}
    shown = {kind: of_kind for kind, of_kind in examples.items() if of_kind}
    is_sample = any(each.coverage() for each in scores)
    return RoundComparison(one, other, flips, shown, band, is_sample, changes)


def comparison_inputs(project: Project, first: int, second: int) -> tuple[int, ...]:
    with project.database.read() as session:
        policy = in_force(session)
    scored = (RoundScores.of(project, number).count() for number in (first, second))
    return (policy.version if policy else 0, *scored)


def _read_side(project: Project, session: Session, row: Round) -> Side:
    bins = _reliability(_test_probabilities(project, row.number))
    return Side(lifecycle.describe(session, row), bins, (row.report or {}).get("test_sha256"))


def _test_probabilities(project: Project, number: int) -> Path:
    return project.round_folder(number) / "evaluation" / "test_probabilities.parquet"


def _differences(first: Path, second: Path) -> Differences | None:
    """With the labels and weights of the second round: labels may have been settled since the first."""
    if not (first.exists() and second.exists()):
        return None
    one, other = pq.read_table(first), pq.read_table(second)
    if not all({"id", "group"} <= set(table.column_names) for table in (one, other)):
        return None  # written by an earlier version
    place_of = {name: place for place, name in enumerate(one["id"].to_pylist())}
    places = [place_of.get(name, -1) for name in other["id"].to_pylist()]
    both = np.flatnonzero(np.array(places, dtype=np.int64) >= 0)
    if not len(both):
        return None
    other = other.take(both)
    return differences(
        _probabilities(one.take([places[at] for at in both])),
        _probabilities(other),
        other["label"].to_pylist(),
        other["weight"].to_numpy(),
        other["group"].to_pylist(),
        rng=np.random.default_rng(0),
        resamples=RESAMPLES,
    )


def _probabilities(table: pa.Table) -> NDArray[np.float64]:
    return np.stack([table[name].to_numpy() for name in COLUMNS], axis=1).astype(np.float64)


def _reliability(file: Path) -> list[Bin]:
    if not file.exists():
        return []
    table = pq.read_table(file)
    if not table.num_rows:
        return []
    bins = reliability(_probabilities(table), table["label"].to_pylist(), table["weight"].to_numpy())
    return [Bin(*map(float, row)) for row in bins if row[0] > 0]


def _examples(session: Session, changes: Sequence[Change]) -> list[Example]:
    posts: dict[int, Any] = {}
    labels: dict[int, list[str]] = {}
    for row in session.execute(compared_posts([change.post_id for change in changes])):
        posts[row.id] = row
        if row.label is not None and row.label not in labels.setdefault(row.id, []):
            labels[row.id].append(row.label)
    return [
        Example(
            posts[change.post_id].external_id,
            posts[change.post_id].text,
            [round(float(value), 4) for value in change.before],
            [round(float(value), 4) for value in change.after],
            labels.get(change.post_id, []),
        )
        for change in changes
        if change.post_id in posts
    ][:EXAMPLES]


def _side(side: Side) -> dict[str, Any]:
    bins = [
        {"weight": one.weight, "confidence": one.confidence, "right": one.right} for one in side.reliability
    ]
    names = ("number", "state", "in_use", "quick", "base", "train", "metrics")
    return {name: side.facts[name] for name in names} | {"reliability": bins}


def _counts(flips: Flips) -> dict[str, Any]:
    return {
        "posts": flips.posts,
        "changed": flips.changed,
        "matrix": {
            one: {other: int(flips.matrix[row, column]) for column, other in enumerate(LABELS)}
            for row, one in enumerate(LABELS)
        },
        "band_before": flips.band_before,
        "band_after": flips.band_after,
        "entered_band": flips.entered,
        "left_band": flips.left,
    }
