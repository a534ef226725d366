"""Posts of the last weeks: how many come a day, and what thresholds would have decided about them.

A bounded number of posts is read, so that it takes a second at any size.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.queries.preparing import import_spans, posts_with_facts
from db.tables import Post, PostText
from trainer.chunks import in_chunks
from trainer.labels import Label
from trainer.statistics.thresholds import VERDICTS, Thresholds, Verdict
from workbench.accounts import Account, Right, reading
from workbench.imports.facts import day_of
from workbench.project import Project
from workbench.scores.round_scores import RoundScores
from workbench.thresholds.by_people import VERDICT_OF_LABEL, labels_by_people
from workbench.thresholds.volumes import Volumes

WEEKS = 4
DAYS = 7 * WEEKS
MOST = 20_000
"""Posts that are read. Of more, as many are drawn at random, and each stands for several."""
SEED = 20_260_103
UNLABELLED = -1
HUMAN = VERDICTS.index("human")


@dataclass(frozen=True)
class RecentPosts:
    """Posts of the last weeks, each with its day and what decides about it; arrays (n,).

    `days` are ordinals of dates: the post's own, or those of the imports if most posts carry no time, and then
    `has_times` is false. `scores` are violation scores, NaN without one. `by_people` are positions in VERDICTS by the
    labels of people, UNLABELLED without one. `is_open` posts may be shown with their score: not held out. Each post stands
    for `weight` posts.
    """

    post_ids: NDArray[np.int64]
    days: NDArray[np.int64]
    scores: NDArray[np.float64]
    by_people: NDArray[np.int64]
    is_open: NDArray[np.bool_]
    weight: float
    first_day: int
    last_day: int
    has_times: bool

    @property
    def posts_a_day(self) -> float | None:
        """None if the posts carry no times: an import says nothing about when its posts were written."""
        if not self.has_times or not len(self.days):
            return None
        return len(self.days) * self.weight / (self.last_day - self.first_day + 1)

    def verdicts(self, thresholds: Thresholds) -> NDArray[np.int64]:
        """(n,) positions in VERDICTS, as `verdicts.decide` gives them."""
        by_model = np.where(np.isnan(self.scores), HUMAN, thresholds.verdicts(self.scores))
        return np.where(self.by_people == UNLABELLED, by_model, self.by_people)


@dataclass(frozen=True)
class WeekOfVerdicts:
    first: date
    last: date
    volumes: Volumes


@dataclass(frozen=True)
class Example:
    post_id: int
    external_id: str
    text: str
    score: float


def read_recent(session: Session, project: Project, round_number: int) -> RecentPosts:
    """Of the imports of the last weeks before the newest one, as far as the round has scored them."""
    scores = RoundScores.of(project, round_number)
    spans = _spans(session, scores.last_scored())
    drawn, weight = _drawn(spans)
    rows = [row for some in in_chunks(drawn, IDS_AT_ONCE) for row in session.execute(posts_with_facts(some))]
    days, has_times = _days(rows, spans, project.now().date())
    last = max(days, default=0)
    first = max(min(filter(None, days), default=0), last - DAYS + 1)
    recent = [(row, day) for row, day in zip(rows, days, strict=True) if first <= day <= last]
    ids = np.array([row.id for row, _ in recent], dtype=np.int64)
    return RecentPosts(
        ids,
        np.array([day for _, day in recent], dtype=np.int64),
        _violation_scores(scores, ids),
        _by_people(session, ids.tolist()),
        np.array([row.split in {None, "pool"} for row, _ in recent], dtype=bool),
        weight,
        first,
        last,
        has_times,
    )


def dry_run(recent: RecentPosts, thresholds: Thresholds) -> list[WeekOfVerdicts]:
    """Weeks of seven days that end with the newest post, the newest week first; the oldest one may be shorter."""
    verdicts = recent.verdicts(thresholds)
    ages = (recent.last_day - recent.days) // 7
    return [
        _week(recent, age, np.bincount(verdicts[ages == age], minlength=len(VERDICTS)))
        for age in range(WEEKS)
        if (ages == age).any()
    ]


def examples(
    project: Project,
    account: Account,
    recent: RecentPosts,
    thresholds: Thresholds,
    verdict: Verdict,
    *,
    most: int = 5,
) -> list[Example]:
    """Posts that the model would give this verdict, those nearest to a threshold first.

    Raises NotAllowedError without the right to set thresholds.
    """
    with reading(project, account, Right.SET_POLICY) as session:
        return _texts(session, recent, _nearest(recent, thresholds, verdict, most))


def _nearest(recent: RecentPosts, thresholds: Thresholds, verdict: Verdict, most: int) -> NDArray[np.intp]:
    is_shown = (recent.by_people == UNLABELLED) & recent.is_open & ~np.isnan(recent.scores)
    is_shown &= recent.verdicts(thresholds) == VERDICTS.index(verdict)
    places = np.flatnonzero(is_shown)
    cuts = np.array([thresholds.pass_below, thresholds.flag_from])
    distances = np.abs(recent.scores[places, None] - cuts).min(axis=1)
    return places[np.argsort(distances, kind="stable")[:most]]


def _texts(session: Session, recent: RecentPosts, places: NDArray[np.intp]) -> list[Example]:
    posts, scores = recent.post_ids[places].tolist(), recent.scores[places].tolist()
    found = (
        (session.get(Post, post), session.get(PostText, post), score)
        for post, score in zip(posts, scores, strict=True)
    )
    # Posts may have been purged since they were read.
    return [
        Example(post.id, post.external_id, text.text, score) for post, text, score in found if post and text
    ]


_Span = tuple[int, int, datetime]
"""First and last post of an import, and its time."""


def _spans(session: Session, last_scored: int) -> list[_Span]:
    spans = [
        (first, last, at)
        for _number, _file, at, first, last in session.execute(import_spans())
        if last <= last_scored
    ]
    newest = max((at for *_, at in spans), default=None)
    return [span for span in spans if newest is not None and span[2] > newest - timedelta(days=DAYS)]


def _drawn(spans: Sequence[_Span]) -> tuple[list[int], float]:
    """Numbers of posts, and how many posts each of them stands for."""
    total = sum(last - first + 1 for first, last, _ in spans)
    if total <= MOST:
        return [post for first, last, _ in spans for post in range(first, last + 1)], 1.0
    sizes = np.array([last - first + 1 for first, last, _ in spans])
    starts = np.cumsum(sizes) - sizes
    places = np.sort(np.random.default_rng(SEED).choice(total, MOST, replace=False))
    which = np.searchsorted(starts, places, side="right") - 1
    firsts = np.array([first for first, *_ in spans])
    return (firsts[which] + places - starts[which]).tolist(), total / MOST


def _days(rows: Sequence[Any], spans: Sequence[_Span], today: date) -> tuple[list[int], bool]:
    """Ordinals of the posts' own days, 0 for a post without one; those of the imports if most have none."""
    own = [_own_day(row.facts, today) for row in rows]
    if 2 * sum(day > 0 for day in own) > len(own):
        return own, True
    return [*_import_days(rows, spans)], False


def _own_day(facts: dict[str, Any] | None, today: date) -> int:
    day = day_of(facts) if facts else None
    return day.toordinal() if day is not None and day <= today + timedelta(days=1) else 0


def _import_days(rows: Sequence[Any], spans: Sequence[_Span]) -> Iterator[int]:
    ordered = sorted(spans)
    firsts = [first for first, *_ in ordered]
    for place in np.searchsorted(firsts, [row.id for row in rows], side="right"):
        yield ordered[place - 1][2].date().toordinal()


def _violation_scores(scores: RoundScores, ids: NDArray[np.int64]) -> NDArray[np.float64]:
    known = scores.read_of(ids)
    values = np.full(len(ids), np.nan)
    values[np.isin(ids, known.post_ids)] = known.probabilities[:, Label.VIOLATION.position]
    return values


def _by_people(session: Session, ids: list[int]) -> NDArray[np.int64]:
    labels: dict[int, str] = {}
    for some in in_chunks(ids, IDS_AT_ONCE):
        labels |= labels_by_people(session, some)
    places = (
        VERDICTS.index(VERDICT_OF_LABEL[labels[post]]) if post in labels else UNLABELLED for post in ids
    )
    return np.array([*places], dtype=np.int64)


def _week(recent: RecentPosts, age: int, counts: NDArray[np.int64]) -> WeekOfVerdicts:
    last = recent.last_day - 7 * age
    passed, human, flagged = (round(float(count) * recent.weight) for count in counts)
    return WeekOfVerdicts(
        date.fromordinal(max(last - 6, recent.first_day)),
        date.fromordinal(last),
        Volumes(passed, human, flagged),
    )
