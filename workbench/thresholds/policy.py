"""The thresholds in force: which posts pass, are flagged or go to people, chosen by the cost of mistakes.

Versions are append-only and the newest is in force. Its band overrides that of the settings.
"""

from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from db.bulk import IDS_AT_ONCE
from db.queries.rounds import policies
from db.queries.standing import labelled_posts
from db.tables import Champion, Person, Policy
from trainer.chunks import in_chunks
from trainer.labels import Label
from trainer.selection.lanes import Band
from trainer.statistics.proportions import Share, weighted_share
from trainer.statistics.thresholds import (
    CUTS,
    VERDICTS,
    Choice,
    Expected,
    Prices,
    Rows,
    Thresholds,
    choose,
    expected,
    thousandths,
)
from workbench import jobs
from workbench.accounts import Account, Right, acting, reading
from workbench.audit import record
from workbench.errors import InputError, RoundError
from workbench.project import Project
from workbench.scores.round_scores import RoundScores
from workbench.thresholds.by_people import VERDICT_OF_LABEL, labels_by_people
from workbench.thresholds.held_out import held_out_rows
from workbench.thresholds.recent import RecentPosts, read_recent
from workbench.thresholds.volumes import Volumes, volumes

FEWEST = 30
"""Labelled posts of validation, and of test, that choosing thresholds requires."""
SEED = 20_260_102


@dataclass(frozen=True)
class Proposal:
    """The cheapest thresholds on the validation posts, with their expected cost on the test posts.

    `all_looked_at` is the cost per post if people review all of them. `whole` counts the posts so far as `decide` does:
    labels by people take precedence. `day` is a mean day of the last weeks by the model alone, since new
    posts have no labels; None if the posts carry no times. `caught` is the share of the violations that do not pass, `right_flags` that of the
    flags that are violations, both among the test posts and None without any.
    """

    round_number: int
    prices: Prices
    choice: Choice
    expected: Expected
    whole: Volumes
    day: Volumes | None
    caught: Share | None
    right_flags: Share | None
    validation_posts: int

    @property
    def all_looked_at(self) -> float:
        return self.prices.look

    def to_dict(self) -> dict[str, Any]:
        return {
            "round": self.round_number,
            "prices": self.prices.to_dict(),
            "pass_below": self.choice.thresholds.pass_below,
            "pass_below_interval": list(self.choice.pass_below_interval),
            "flag_from": self.choice.thresholds.flag_from,
            "flag_from_interval": list(self.choice.flag_from_interval),
            "expected": asdict(self.expected),
            "volumes": asdict(self.whole),
            "day": None if self.day is None else asdict(self.day),
            "caught": None if self.caught is None else asdict(self.caught),
            "right_flags": None if self.right_flags is None else asdict(self.right_flags),
            "validation_posts": self.validation_posts,
        }


@dataclass(frozen=True)
class Evidence:
    """The labelled held-out posts, and the distribution of the violation scores of all posts.

    `score_histogram` (1001,) counts posts by thousandth of the violation score, an estimate if not all are scored;
    `unlabelled_histogram` those without a label by people, whose verdicts are counted in `by_people`.
    """

    round_number: int
    validation: Rows
    test: Rows
    score_histogram: NDArray[np.int64]
    unlabelled_histogram: NDArray[np.int64]
    by_people: Volumes
    recent: RecentPosts


def band_in_force(session: Session, project: Project, *, at: datetime | None = None) -> Band:
    query = policies() if at is None else policies().where(Policy.created_at <= at)
    policy = session.scalar(query.limit(1))
    if policy is None:
        return project.settings.band
    return replace(project.settings.band, low=policy.band_low, high=policy.band_high)


def in_force(session: Session) -> Policy | None:
    return session.scalar(policies().limit(1))


def find(session: Session, version: int) -> Policy:
    """Raises InputError without such a version."""
    policy = session.get(Policy, version)
    if policy is None:
        raise InputError("There is no version {version} of the thresholds.", version=version)
    return policy


def history(session: Session) -> list[dict[str, Any]]:
    rows = session.execute(policies().join(Person, Person.id == Policy.person_id).add_columns(Person.name))
    # The keys are part of the interface of `policy --json`.
    return [
        {
            "version": policy.version,
            "round": policy.round_number,
            "band": [policy.band_low, policy.band_high],
            "pass_below": policy.pass_below,
            "flag_from": policy.flag_from,
            "prices": policy.prices,
            "by": name,
            "created_at": policy.created_at.isoformat(),
        }
        for policy, name in rows
    ]


def read_evidence(project: Project, account: Account) -> Evidence:
    """Independent of the prices; takes seconds with a million posts.

    Raises NotAllowedError without the right to set thresholds, RoundError without a champion or with too few labelled
    held-out posts.
    """
    with reading(project, account, Right.SET_POLICY) as session:
        champion = session.get(Champion, 1)
        if champion is None:
            raise RoundError(
                "No round is in use yet. Thresholds need the scores of one, and {fewest} labelled posts each of validation and test, with a violation in both. Start a round on the Rounds page, or with `workbench round start --wait`.",
                fewest=FEWEST,
            )
        number = champion.round_number
        rows = held_out_rows(session, project, number)
        for name in ("validation", "test"):
            _refuse_few(rows[name], name)
        scores = RoundScores.of(project, number)
        labels = _labels(session, scores.last_scored())
        recent = read_recent(session, project, number)
    whole, unlabelled = _histograms(scores, labels)
    return Evidence(number, rows["validation"], rows["test"], whole, unlabelled, _verdicts(labels), recent)


def propose(evidence: Evidence, prices: Prices) -> Proposal:
    """The cheapest thresholds. Raises InputError for a negative or non-finite price."""
    if not all(isfinite(price) and price >= 0 for price in asdict(prices).values()):
        raise InputError("Prices are numbers from 0 up.")
    choice = choose(evidence.validation, prices, rng=np.random.default_rng(SEED))
    costs = expected(choice.thresholds, evidence.test, prices)
    whole = volumes(evidence.unlabelled_histogram, choice.thresholds) + evidence.by_people
    day = _day(evidence, choice.thresholds)
    caught, right_flags = _shares(evidence.test, choice.thresholds)
    return Proposal(
        evidence.round_number,
        prices,
        choice,
        costs,
        whole,
        day,
        caught,
        right_flags,
        len(evidence.validation),
    )


def save(
    project: Project,
    account: Account,
    proposal: Proposal,
    *,
    low: float | None = None,
    high: float | None = None,
    expected_version: int | None = None,
) -> int:
    """Put thresholds in force as a new version and enqueue a rebuild of the queue; returns the version.

    `low` and `high` bound the band, by default the current one. `expected_version` is the newest version that the
    person saw, 0 for none. Raises NotAllowedError without the right to set thresholds, InputError for an invalid band,
    if another version is in force, or if the proposal's round is no longer the champion.
    """
    with acting(project, account, Right.SET_POLICY) as session:
        band = band_in_force(session, project)
        low, high = band.low if low is None else low, band.high if high is None else high
        if not 0 < low < high < 1:
            raise InputError("The band runs from above 0 to below 1, its low end first.")
        newest = in_force(session)
        last = newest.version if newest else 0
        if expected_version not in {None, last}:
            raise InputError(
                "Version {version} has come into force meanwhile. Look at it before you decide.",
                version=last,
            )
        champion = session.get(Champion, 1)
        if champion is None or champion.round_number != proposal.round_number:
            raise InputError(
                "Round {number}, which these thresholds were chosen for, is not in use any more. Look again.",
                number=proposal.round_number,
            )
        policy = Policy(
            version=last + 1,
            round_number=proposal.round_number,
            band_low=low,
            band_high=high,
            pass_below=proposal.choice.thresholds.pass_below,
            flag_from=proposal.choice.thresholds.flag_from,
            prices=proposal.prices.to_dict(),
            person_id=account.id,
            created_at=project.now(),
        )
        session.add(policy)
        version = policy.version
        record(session, project, account.id, "set thresholds", f"version {version}", band=[low, high])
        jobs.enqueue(project.database.engine, session, jobs.Job.PREPARE, 0, job_id=f"policy-{version}")
        return version


def _day(evidence: Evidence, thresholds: Thresholds) -> Volumes | None:
    by_model, posts = volumes(evidence.score_histogram, thresholds), evidence.recent.posts_a_day
    if posts is None or not by_model.total:
        return None
    return Volumes(*(round(count * posts / by_model.total) for count in asdict(by_model).values()))


def _shares(rows: Rows, thresholds: Thresholds) -> tuple[Share | None, Share | None]:
    verdicts = thresholds.verdicts(rows.scores)
    return (
        _share_among(rows, rows.is_violation, verdicts > 0),
        _share_among(rows, verdicts == VERDICTS.index("flag"), rows.is_violation),
    )


def _share_among(rows: Rows, among: NDArray[np.bool_], is_counted: NDArray[np.bool_]) -> Share | None:
    groups = [group for group, is_one in zip(rows.groups, among, strict=True) if is_one]
    return weighted_share(is_counted[among], rows.weights[among], groups)


def _labels(session: Session, last_scored: int) -> dict[int, str]:
    """Labels by people of the posts that `decide` covers, by post."""
    ids = [post for post in session.scalars(labelled_posts()) if post <= last_scored]
    labels: dict[int, str] = {}
    for some in in_chunks(ids, IDS_AT_ONCE):
        labels |= labels_by_people(session, some)
    return labels


def _verdicts(labels: dict[int, str]) -> Volumes:
    counts = Counter(VERDICT_OF_LABEL[label] for label in labels.values())
    return Volumes(*(counts[verdict] for verdict in VERDICTS))


def _histograms(scores: RoundScores, labels: dict[int, str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of all posts, and of those without a label by people."""
    labelled = np.array(sorted(labels), dtype=np.int64)
    whole, unlabelled = np.zeros(len(CUTS) - 1), np.zeros(len(CUTS) - 1)
    for part, weights in scores.fair_parts():
        places = thousandths(part.probabilities[:, Label.VIOLATION.position])
        whole += np.bincount(places, weights, minlength=len(whole))
        is_unlabelled = ~np.isin(part.post_ids, labelled)
        unlabelled += np.bincount(places, weights * is_unlabelled, minlength=len(whole))
    return whole.round().astype(np.int64), unlabelled.round().astype(np.int64)


def _refuse_few(rows: Rows, split: str) -> None:
    violations = int(rows.is_violation.sum())
    if len(rows) < FEWEST or not violations:
        raise RoundError(
            "Thresholds need {fewest} labelled posts of {split} with a violation among them; there are {count} with {violations}. Label more: the queue serves them.",
            fewest=FEWEST,
            split=split,
            count=len(rows),
            violations=violations,
        )
