"""The figures of the Overview page: counts, the learning curve and today's annotators.

Nothing here reads the whole pool: counts come from the imports, the queue's state and the annotations.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from db.queries.agreement import blind_votes
from db.queries.people import answers_given
from db.queries.review import first_thoughts_on_suggestions
from db.queries.standing import labelled_posts
from db.queries.training import labels_by_split
from db.tables import Annotation, Champion, Person, Round
from trainer.labels import LABELS
from trainer.selection.forecast import expected_gain
from trainer.statistics.agreement import Agreement, agreement
from workbench.accounts import Account, Right, reading
from workbench.exports.left_out import LeftOut, read_left_out
from workbench.labelling import pace
from workbench.overview.advice import Advice, Standing, advise
from workbench.posts.counting import count_posts
from workbench.project import Project
from workbench.queue.band import band_counts
from workbench.rounds import outlook as rounds_outlook
from workbench.rounds.champion import partly_scored_in_use
from workbench.rounds.measured import Measured, read_measured
from workbench.rounds.new_labels import NewLabels, read_new_labels
from workbench.rounds.outlook import FEWEST_ROUNDS, Outlook, Point, read_outlook
from workbench.scores.round_scores import PartlyScored

AHEAD = (100, 250, 500, 1_000)
"""Numbers of further labels at which the learning curve is extrapolated."""


@dataclass(frozen=True)
class OnCurve:
    """A round on the learning curve: training labels, macro-F1 and its 95% interval, empty if it is undefined.

    `measured` has its figures of violations.
    """

    number: int
    labels: int
    macro_f1: float
    interval: Sequence[float | None]
    measured: Measured | None


@dataclass(frozen=True)
class Ahead:
    """The extrapolated curve: macro-F1 at a number of labels, with the 95% interval of the gain added."""

    labels: int
    macro_f1: float
    low: float
    high: float


@dataclass(frozen=True)
class Anchoring:
    """How many first labels equal the suggestion, among those given with it visible and with it hidden."""

    same_visible: int
    visible: int
    same_hidden: int
    hidden: int


@dataclass(frozen=True)
class AnnotatorDay:
    name: str
    labelled: int
    seconds_each: float | None
    minutes: float


@dataclass(frozen=True)
class Overview:
    """`labels` counts posts by label and split, `not_used` the labelled ones that no round uses; `measured` has the
    figures of the champion; `curve` has the rounds comparable to it, oldest first; `ahead` is empty before there are two.

    `partly_scored`: the champion did not score every post, and the counts of the band lack the others.
    """

    posts: int
    labelled: int
    in_band: int
    below_band: int
    champion: int | None
    labels: dict[str, dict[str, int]]
    not_used: LeftOut
    agreement: Agreement | None
    anchoring: Anchoring
    curve: Sequence[OnCurve]
    ahead: Sequence[Ahead]
    outlook: Outlook | None
    hands: Sequence[AnnotatorDay]
    advice: Advice
    measured: Measured | None
    new_labels: NewLabels
    partly_scored: PartlyScored | None = None

    @property
    def macro_f1(self) -> float | None:
        return next((point.macro_f1 for point in self.curve if point.number == self.champion), None)

    def to_dict(self) -> dict[str, Any]:
        values = asdict(self)
        values["outlook"] = None if self.outlook is None else self.outlook.to_dict()
        return {**values, "macro_f1": self.macro_f1}


def read_overview(project: Project, account: Account, midnight: datetime) -> Overview:
    """`midnight` is the start of today on the reader's clock.

    Raises NotAllowedError if `account` is not a lead.
    """
    with reading(project, account, Right.REVIEW) as session:
        ahead = read_outlook(project)
        champion = session.get(Champion, 1)
        row = None if champion is None else session.get(Round, champion.round_number)
        points = [] if row is None else rounds_outlook.curve(session, row)
        labels, band = _labels(session), band_counts(session, project)
        posts = count_posts(session)
        labelled = session.scalar(select(func.count()).select_from(labelled_posts().subquery())) or 0
        new_labels = read_new_labels(session)
        return Overview(
            posts=posts,
            labelled=labelled,
            in_band=band.in_band,
            below_band=band.below_band,
            champion=None if row is None else row.number,
            labels=labels,
            not_used=read_left_out(session, has_audit=True),
            agreement=_agreement(session),
            anchoring=_anchoring(session),
            curve=[_on_curve(session, point) for point in points],
            ahead=_ahead(points),
            outlook=ahead,
            hands=_annotator_days(session, project.now(), midnight),
            advice=advise(session, Standing(labels, row, ahead, new_labels, posts - labelled)),
            measured=None if row is None else _measured(row),
            new_labels=new_labels,
            partly_scored=partly_scored_in_use(session, project),
        )


def _labels(session: Session) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {label: {} for label in LABELS}
    for split, label, count in session.execute(labels_by_split(LABELS)):
        counts[str(label)][split] = count
    return counts


def _agreement(session: Session) -> Agreement | None:
    rows = session.execute(blind_votes())
    return agreement([str(row.label) for row in post] for _, post in groupby(rows, lambda row: row.post_id))


def _anchoring(session: Session) -> Anchoring:
    counts: defaultdict[bool, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for is_visible, same, count in session.execute(
        first_thoughts_on_suggestions()
        .with_only_columns(
            Annotation.was_suggestion_visible,
            func.sum(case((Annotation.label == Annotation.suggestion, 1), else_=0)),
            func.count(),
        )
        .group_by(Annotation.was_suggestion_visible)
    ):
        counts[is_visible] = (same, count)
    return Anchoring(*counts[True], *counts[False])


def _on_curve(session: Session, point: Point) -> OnCurve:
    row = session.get_one(Round, point.number)
    interval = (row.report or {})["metrics"]["macro_f1_interval"]
    return OnCurve(point.number, point.labels, point.score, interval, _measured(row))


def _measured(row: Round) -> Measured | None:
    return read_measured((row.report or {}).get("metrics"))


def _ahead(points: Sequence[Point]) -> list[Ahead]:
    if len(points) < FEWEST_ROUNDS:
        return []
    newest = max(points, key=lambda point: (point.labels, point.number))
    labels, scores, errors = zip(*((point.labels, point.score, point.error) for point in points), strict=True)
    points_ahead = [Ahead(newest.labels, newest.score, newest.score, newest.score)]
    for more in AHEAD:
        gain = expected_gain(labels, scores, errors, more=more)
        bounds = (newest.score + bound for bound in (gain.mean, *gain.interval))
        points_ahead.append(Ahead(newest.labels + more, *bounds))
    return points_ahead


def _annotator_days(session: Session, now: datetime, midnight: datetime) -> list[AnnotatorDay]:
    """Annotators with an answer today, in order of name, which is no ranking."""
    answered = answers_given(Person.id.expression, midnight).with_only_columns(Annotation.id).exists()
    people = session.execute(select(Person.id, Person.name).where(answered).order_by(Person.name))
    days = []
    for person_id, name in people:
        day = pace.today(session, person_id, now, midnight)
        days.append(AnnotatorDay(name, day.labelled, day.seconds_each, day.label_seconds / 60))
    return days
