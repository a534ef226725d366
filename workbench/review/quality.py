"""The figures of one person's work, and the table of all people for leads.

Only whole weeks count. A figure that changed with the answer just given would tell which posts are check posts,
and what the colleague or the lead had said. Leads see a week when it has been open to the person for a week.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from statistics import median
from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries.checks import labelled_checks
from db.queries.people import first_labels
from db.tables import Person
from trainer.labels import LABELS
from trainer.statistics.proportions import Share, share_of
from workbench.accounts import Account, Right, reading
from workbench.labelling.pace import FEWEST, IDLE_SECONDS, monday_of
from workbench.project import Project
from workbench.review.agreement import Vote, votes_by_post

WEEKS = 12
A_WEEK = timedelta(weeks=1)
FEWEST_POSTS = 10
"""Posts below which a share is not stated: it would say more about chance than about the person."""

Kind = Literal["gold", "own_again", "colleagues", "visible", "hidden"]
"""What an answer is held against: the lead's label, the person's own of before, another annotator's, or the model's
with the suggestion visible or hidden."""


@dataclass(frozen=True)
class Comparison:
    kind: Kind
    at: datetime
    is_same: bool
    other: str
    """The label against which the answer is held."""


@dataclass(frozen=True)
class Quality:
    """`labels` counts first answers; `seconds_each` is their median, None with too few.

    `shares` say how often the answer was the same.
    """

    labels: int
    seconds_each: float | None
    shares: Mapping[Kind, Share]


@dataclass(frozen=True)
class MyWork:
    """`weeks` are those with answers, oldest first; `gold` is by the label that a lead settled on."""

    since: date
    until: date
    whole: Quality
    weeks: Mapping[date, Quality]
    gold: Mapping[str, Share]


@dataclass(frozen=True)
class PersonQuality:
    name: str
    quality: Quality


@dataclass(frozen=True)
class TeamQuality:
    """Everyone who answered, in order of names."""

    since: date
    until: date
    people: Sequence[PersonQuality]


@dataclass(frozen=True)
class _Work:
    comparisons: Sequence[Comparison]
    seconds: Sequence[tuple[datetime, float | None]]
    """Of each first label; None if the time is not known."""


def read_my_work(project: Project, account: Account) -> MyWork:
    """The account's own figures, until the start of this week. Raises NotAllowedError without the right to label."""
    with reading(project, account, Right.LABEL) as session:
        since, until = _span(project.now())
        work = _work_of(session, account.id, votes_by_post(session).values(), since, until)
        return MyWork(
            since.date(),
            (until - timedelta(days=1)).date(),
            _quality(work),
            {monday: _quality(part) for monday, part in _by_week(work)},
            _by_settled_label(work.comparisons),
        )


def read_team_quality(project: Project, account: Account) -> TeamQuality:
    """Until a week before the start of this one. Raises NotAllowedError if `account` is not a lead."""
    with reading(project, account, Right.REVIEW) as session:
        since, until = _span(project.now() - A_WEEK)
        posts = list(votes_by_post(session).values())
        people = session.execute(select(Person.id, Person.name).order_by(Person.name)).all()
        figures = (
            PersonQuality(name, _quality(_work_of(session, number, posts, since, until)))
            for number, name in people
        )
        return TeamQuality(
            since.date(),
            (until - timedelta(days=1)).date(),
            [one for one in figures if one.quality.labels or one.quality.shares],
        )


def _span(now: datetime) -> tuple[datetime, datetime]:
    until = datetime.combine(monday_of(now.astimezone(UTC)), time(), UTC)
    return until - WEEKS * A_WEEK, until


def _work_of(
    session: Session, person_id: int, posts: Iterable[Sequence[Vote]], since: datetime, until: datetime
) -> _Work:
    labels = session.execute(first_labels(person_id, since, until)).all()
    return _Work(
        comparisons=[
            *_with_known(session, person_id, since, until),
            *(one for one in _with_colleagues(person_id, posts) if since <= one.at < until),
            *_with_model(labels),
        ],
        seconds=[(row.saved_at, row.seconds) for row in labels],
    )


def _with_known(session: Session, person_id: int, since: datetime, until: datetime) -> Iterator[Comparison]:
    """The last answer to a check post before the model's view; the last one of all if it was in sight throughout."""
    rows = session.execute(labelled_checks(person_id, since, until))
    for _post, answers in groupby(rows, lambda row: row.post_id):
        given = list(answers)
        answer = ([row for row in given if not row.was_suggestion_visible] or given)[-1]
        yield Comparison(answer.kind, answer.saved_at, answer.label == answer.expected, answer.expected)


def _with_colleagues(person_id: int, posts: Iterable[Sequence[Vote]]) -> Iterator[Comparison]:
    for votes in posts:
        mine = next((vote for vote in votes if vote.person_id == person_id), None)
        if mine is None:
            continue
        for vote in votes:
            if vote is not mine:
                # When the second of the two answers was there.
                at = max(mine.saved_at, vote.saved_at)
                yield Comparison("colleagues", at, mine.label == vote.label, vote.label)


def _with_model(labels: Iterable[Any]) -> Iterator[Comparison]:
    for row in labels:
        if row.suggestion is not None:
            kind: Kind = "visible" if row.was_suggestion_visible else "hidden"
            yield Comparison(kind, row.saved_at, row.label == row.suggestion, row.suggestion)


def _quality(work: _Work) -> Quality:
    took = [seconds for _at, seconds in work.seconds if seconds is not None and 0 <= seconds <= IDLE_SECONDS]
    by_kind: defaultdict[Kind, list[bool]] = defaultdict(list)
    for one in work.comparisons:
        by_kind[one.kind].append(one.is_same)
    shares = {kind: _share(same) for kind, same in by_kind.items()}
    return Quality(len(work.seconds), median(took) if len(took) >= FEWEST else None, shares)


def _by_week(work: _Work) -> Iterator[tuple[date, _Work]]:
    comparisons: defaultdict[date, list[Comparison]] = defaultdict(list)
    seconds: defaultdict[date, list[tuple[datetime, float | None]]] = defaultdict(list)
    for one in work.comparisons:
        comparisons[monday_of(one.at)].append(one)
    for at, took in work.seconds:
        seconds[monday_of(at)].append((at, took))
    for monday in sorted({*comparisons, *seconds}):
        yield monday, _Work(comparisons[monday], seconds[monday])


def _by_settled_label(comparisons: Iterable[Comparison]) -> dict[str, Share]:
    by_label: defaultdict[str, list[bool]] = defaultdict(list)
    for one in comparisons:
        if one.kind == "gold":
            by_label[one.other].append(one.is_same)
    return {label: _share(by_label[label]) for label in LABELS if label in by_label}


def _share(same: Sequence[bool]) -> Share:
    return share_of(sum(same) / len(same), len(same))
