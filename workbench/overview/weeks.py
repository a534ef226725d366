"""Weekly monitoring: the share of violations among random posts, and the drift of the scores."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.tables import Champion, Import, Post
from trainer.labels import Label
from trainer.selection.lanes import HELD_OUT, RANDOM, Composition
from trainer.statistics.drift import in_tenths, stability_index
from trainer.statistics.proportions import Share, weighted_share
from trainer.statistics.thresholds import CUTS, thousandths
from workbench.accounts import Account, Right, reading
from workbench.exports.drawn import drawn_weights
from workbench.exports.jsonl import LabelledPost, labelled_posts
from workbench.labelling.pace import monday_of
from workbench.project import Project
from workbench.scores.round_scores import RoundScores

NEWEST = 8
"""Number of weeks shown."""
WATCHING = Composition(uncertain=1, random=60, violation=9, second_opinion=10, held_out=20)
"""Composition of the queue for monitoring: mostly random posts."""
A_DAY = 30
"""Blind labels a day: in two weeks they detect a doubling of a 5% share with a power of 0.8."""


@dataclass(frozen=True)
class Week:
    """One week. `violations` is the share among random posts labelled that week; `posts` counts imported posts.

    `drift` is the PSI of their violation scores against all earlier weeks. None if there is no data.
    """

    monday: date
    violations: Share | None
    posts: int
    drift: float | None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "monday": self.monday.isoformat()}


def read_weeks(project: Project, account: Account) -> list[Week]:
    """Raises NotAllowedError if `account` is not a lead.

    Reads every score once: most of a second at a million posts.
    """
    with reading(project, account, Right.REVIEW) as session:
        return weeks(session, project)


def weeks(session: Session, project: Project) -> list[Week]:
    """The newest weeks with imported posts or labels of random posts, oldest first; empty without a champion."""
    champion = session.get(Champion, 1)
    if champion is None:
        return []
    shares = _shares([post for post in labelled_posts(session, champion.round_number) if _is_drawn(post)])
    spreads = _spreads(session, project, champion.round_number)
    before, drifts = np.zeros(len(CUTS) - 1, dtype=np.int64), {}
    for monday, spread in sorted(spreads.items()):
        drifts[monday], before = stability_index(*in_tenths(before, spread)), before + spread
    return [
        Week(
            monday,
            shares.get(monday),
            int(spreads[monday].sum()) if monday in spreads else 0,
            drifts.get(monday),
        )
        for monday in sorted({*shares, *spreads})[-NEWEST:]
    ]


def _is_drawn(post: LabelledPost) -> bool:
    return post.line["lane"] in (HELD_OUT, RANDOM)


def _shares(posts: Sequence[LabelledPost]) -> Mapping[date, Share]:
    by_week: defaultdict[date, list[LabelledPost]] = defaultdict(list)
    for post in posts:
        by_week[monday_of(datetime.fromisoformat(post.line["labelled_at"]))].append(post)
    return {
        monday: share
        for monday, posts_of_week in by_week.items()
        if (
            share := weighted_share(
                [post.line["label"] == Label.VIOLATION for post in posts_of_week],
                drawn_weights(posts_of_week),
                [post.group_id for post in posts_of_week],
            )
        )
    }


def _spreads(session: Session, project: Project, round_number: int) -> dict[date, NDArray[np.int64]]:
    """Counts of posts by week of import and thousandth of the violation score.

    Each import has a range of post numbers of its own. An estimate if a pass left posts out.
    """
    imports = session.execute(
        select(
            Import.started_at,
            select(func.min(Post.id)).where(Post.import_id == Import.id).scalar_subquery(),
            select(func.max(Post.id)).where(Post.import_id == Import.id).scalar_subquery(),
        ).where(Import.state == "prepared")
    ).all()
    ranges = [(monday_of(begun), first, last) for begun, first, last in imports if first is not None]
    spreads: dict[date, NDArray[np.float64]] = {}
    for part, weights in RoundScores.of(project, round_number).fair_parts():
        ids, places = part.post_ids, thousandths(part.probabilities[:, Label.VIOLATION.position])
        for monday, first, last in ranges:
            if first > ids[-1] or last < ids[0]:
                continue
            begin, end = np.searchsorted(ids, [first, last + 1])
            counts = np.bincount(places[begin:end], weights[begin:end], minlength=len(CUTS) - 1)
            spreads[monday] = spreads.get(monday, np.zeros_like(counts)) + counts
    return {monday: counts.round().astype(np.int64) for monday, counts in spreads.items()}
