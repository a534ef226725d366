"""How far the team's labels agree: in all, by label, by pair of people and by week; and what to do about it.

Only votes given without sight of another's or of the model's view count.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import combinations, groupby

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from db.queries.agreement import blind_votes
from db.queries.review import disagreements
from db.tables import Person, Post
from trainer.labels import LABELS
from trainer.selection.stopping import kappa
from trainer.statistics.agreement import (
    LEAST_ALPHA,
    Agreement,
    agreement,
    agreement_on_labels,
    apart,
    ordinal_interval,
)
from trainer.statistics.proportions import Interval, Share, share_of
from workbench.accounts import Account, Right, reading
from workbench.labelling.pace import monday_of
from workbench.project import Project

FEWEST_POSTS = 20
"""Posts with two votes below which no alpha and no kappa is stated."""
WEEKS = 12


@dataclass(frozen=True)
class Vote:
    person_id: int
    label: str
    saved_at: datetime


@dataclass(frozen=True)
class Apart:
    """Posts with both labels of a pair, and how many of them wait for a lead."""

    labels: tuple[str, str]
    posts: int
    open_cases: int


@dataclass(frozen=True)
class PairOfPeople:
    """`kappa` is Cohen's; None with too few posts, or if both give every post the same label."""

    names: tuple[str, str]
    same: Share
    kappa: float | None


@dataclass(frozen=True)
class WeekOfAgreement:
    """The posts whose last vote fell into the week."""

    monday: date
    same: Share
    ordinal: float | None
    interval: Interval | None


@dataclass(frozen=True)
class TeamAgreement:
    """`interval` is that of the ordinal alpha; `apart` has the pair of labels with most posts first."""

    whole: Agreement | None
    interval: Interval | None
    labels: Mapping[str, Share]
    apart: Sequence[Apart]
    people: Sequence[PairOfPeople]
    weeks: Sequence[WeekOfAgreement]

    @property
    def has_enough(self) -> bool:
        return self.whole is not None and self.whole.posts >= FEWEST_POSTS

    @property
    def is_low(self) -> bool:
        is_below = (
            self.whole is not None and self.whole.ordinal is not None and self.whole.ordinal < LEAST_ALPHA
        )
        return is_below and self.has_enough


def read_agreement(project: Project, account: Account) -> TeamAgreement:
    """Raises NotAllowedError if `account` is not a lead."""
    with reading(project, account, Right.REVIEW) as session:
        posts = votes_by_post(session)
        judged = [[vote.label for vote in votes] for votes in posts.values()]
        return TeamAgreement(
            whole=agreement(judged),
            interval=ordinal_interval(judged),
            labels=agreement_on_labels(judged),
            apart=_apart(session, posts),
            people=_pairs_of_people(session, posts.values()),
            weeks=_weeks(posts.values()),
        )


def votes_by_post(session: Session) -> dict[int, list[Vote]]:
    """The blind votes on posts that have two or more."""
    rows = session.execute(blind_votes())
    posts = {
        post: [Vote(row.person_id, str(row.label), row.saved_at) for row in votes]
        for post, votes in groupby(rows, lambda row: row.post_id)
    }
    return {post: votes for post, votes in posts.items() if len(votes) > 1}


def _apart(session: Session, posts: Mapping[int, Sequence[Vote]]) -> list[Apart]:
    waiting = set(session.scalars(disagreements().with_only_columns(Post.id, maintain_column_froms=True)))
    counts = apart([vote.label for vote in votes] for votes in posts.values())
    still = apart([vote.label for vote in votes] for post, votes in posts.items() if post in waiting)
    return [Apart(labels, count, still[labels]) for labels, count in counts.most_common()]


def _pairs_of_people(session: Session, posts: Iterable[Sequence[Vote]]) -> list[PairOfPeople]:
    names = dict(session.execute(select(Person.id, Person.name)).all())
    by_pair: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for votes in posts:
        named = sorted((names[vote.person_id], vote.label) for vote in votes)
        for (one, label), (other, other_label) in combinations(named, 2):
            by_pair[one, other].append((label, other_label))
    return [_pair_of_people(people, labels) for people, labels in sorted(by_pair.items())]


def _pair_of_people(people: tuple[str, str], labels: Sequence[tuple[str, str]]) -> PairOfPeople:
    same = share_of(sum(one == other for one, other in labels) / len(labels), len(labels))
    is_defined = len(labels) >= FEWEST_POSTS and len({label for pair in labels for label in pair}) > 1
    one, other = np.array([[LABELS.index(label) for label in pair] for pair in labels]).T
    return PairOfPeople(people, same, kappa(one, other) if is_defined else None)


def _weeks(posts: Iterable[Sequence[Vote]]) -> list[WeekOfAgreement]:
    by_week: defaultdict[date, list[list[str]]] = defaultdict(list)
    for votes in posts:
        monday = monday_of(max(vote.saved_at for vote in votes))
        by_week[monday].append([vote.label for vote in votes])
    return [_week(monday, judged) for monday, judged in sorted(by_week.items())[-WEEKS:]]


def _week(monday: date, judged: Sequence[Sequence[str]]) -> WeekOfAgreement:
    found = agreement(judged)
    assert found is not None, "every post has two votes"
    has_enough = found.posts >= FEWEST_POSTS
    return WeekOfAgreement(
        monday,
        share_of(found.share, found.posts),
        found.ordinal if has_enough else None,
        ordinal_interval(judged) if has_enough else None,
    )
