"""Comparison of two rounds: their metrics, their reliability, and the posts whose verdict differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from sqlalchemy.orm import Session

from db.queries.training import compared_posts
from db.tables import Round
from trainer.labels import LABELS
from trainer.selection.lanes import Band
from trainer.statistics.metrics import reliability
from workbench.accounts import Account, Right, reading
from workbench.errors import RoundError
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.rounds.flips import Change, Flips, find_flips
from workbench.scores.round_scores import RoundScores
from workbench.thresholds.policy import band_in_force, in_force

EXAMPLES = 20
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

    `is_sample`: one of the rounds did not score every post, so the flips cover posts that both drew at random.
    """

    first: Side
    second: Side
    flips: Flips | None
    examples: dict[str, list[Example]]
    band: Band
    is_sample: bool = False

    @property
    def is_same_test(self) -> bool:
        return self.first.test_sha256 is not None and self.first.test_sha256 == self.second.test_sha256

    def to_dict(self) -> dict[str, Any]:
        return {
            "rounds": [_side(self.first), _side(self.second)],
            "same_test_posts": self.is_same_test,
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
    scores = [RoundScores.of(project, number) for number in (first, second)]
    if not all(each.count() for each in scores):
        return RoundComparison(one, other, None, {}, band)
    flips = find_flips(*(each.fair() for each in scores), low=band.low, high=band.high, most=LOOKED_AT)
    with project.database.read() as session:
        examples = {kind: _examples(session, changes) for kind, changes in flips.largest.items()}
    shown = {kind: of_kind for kind, of_kind in examples.items() if of_kind}
    return RoundComparison(one, other, flips, shown, band, any(each.coverage() for each in scores))


def comparison_inputs(project: Project, first: int, second: int) -> tuple[int, ...]:
    with project.database.read() as session:
        policy = in_force(session)
    scored = (RoundScores.of(project, number).count() for number in (first, second))
    return (policy.version if policy else 0, *scored)


def _read_side(project: Project, session: Session, row: Round) -> Side:
    file = project.round_folder(row.number) / "evaluation" / "test_probabilities.parquet"
    return Side(lifecycle.describe(session, row), _reliability(file), (row.report or {}).get("test_sha256"))


def _reliability(file: Path) -> list[Bin]:
    if not file.exists():
        return []
    table = pq.read_table(file)
    if not table.num_rows:
        return []
    probabilities = np.stack([table[f"p_{label}"].to_numpy() for label in LABELS], axis=1)
    bins = reliability(probabilities, table["label"].to_pylist(), table["weight"].to_numpy())
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
