"""The thresholds in force: which posts pass, are flagged or go to people, chosen by the cost of mistakes.

Versions are append-only and the newest is in force. Its band overrides that of the settings.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.queries.rounds import policies
from db.tables import Champion, Import, Person, Policy
from trainer.labels import Label
from trainer.selection.lanes import Band
from trainer.statistics.thresholds import (
    CUTS,
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
from workbench.thresholds.held_out import held_out_rows

FEWEST = 30
"""Labelled posts of validation, and of test, that choosing thresholds requires."""
RECENT = timedelta(days=7)
SEED = 20_260_102


@dataclass(frozen=True)
class Volumes:
    passed: int
    human: int
    flagged: int


@dataclass(frozen=True)
class Proposal:
    """The cheapest thresholds on the validation posts, with their expected cost on the test posts.

    `all_looked_at` is the cost per post if people review all of them. `whole` counts all scored posts, `day` an average
    day with imports of the last 7 days, None without any.
    """

    round_number: int
    prices: Prices
    choice: Choice
    expected: Expected
    whole: Volumes
    day: Volumes | None
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
            "validation_posts": self.validation_posts,
        }


@dataclass(frozen=True)
class Evidence:
    """The labelled held-out posts, and the distribution of the violation scores of all posts.

    `score_histogram` (1000,) counts posts by thousandth of the violation score, an estimate if not all are scored.
    """

    round_number: int
    validation: Rows
    test: Rows
    score_histogram: NDArray[np.int64]
    posts_a_day: float | None


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
        rows = held_out_rows(session, project, champion.round_number)
        posts_a_day = _posts_a_day(session, project)
    for name in ("validation", "test"):
        _refuse_few(rows[name], name)
    histogram = np.zeros(len(CUTS) - 1)
    for part, weights in RoundScores.of(project, champion.round_number).fair_parts():
        histogram += np.bincount(
            thousandths(part.probabilities[:, Label.VIOLATION.position]), weights, minlength=len(histogram)
        )
    whole = histogram.round().astype(np.int64)
    return Evidence(champion.round_number, rows["validation"], rows["test"], whole, posts_a_day)


def propose(evidence: Evidence, prices: Prices) -> Proposal:
    """The cheapest thresholds. Raises InputError for a negative or non-finite price."""
    if not all(isfinite(price) and price >= 0 for price in asdict(prices).values()):
        raise InputError("Prices are numbers from 0 up.")
    choice = choose(evidence.validation, prices, rng=np.random.default_rng(SEED))
    costs = expected(choice.thresholds, evidence.test, prices)
    whole = volumes(evidence.score_histogram, choice.thresholds)
    day = None
    if evidence.posts_a_day is not None and (total := int(evidence.score_histogram.sum())):
        day = Volumes(*(round(count * evidence.posts_a_day / total) for count in asdict(whole).values()))
    return Proposal(evidence.round_number, prices, choice, costs, whole, day, len(evidence.validation))


def volumes(histogram: NDArray[np.int64], thresholds: Thresholds) -> Volumes:
    first, second = (
        int(np.searchsorted(CUTS, threshold - 1e-9))
        for threshold in (thresholds.pass_below, thresholds.flag_from)
    )
    return Volumes(
        int(histogram[:first].sum()), int(histogram[first:second].sum()), int(histogram[second:].sum())
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


def _posts_a_day(session: Session, project: Project) -> float | None:
    """The mean over the days with imports of the last 7 days."""
    rows: Sequence[Any] = session.execute(
        select(func.date(Import.started_at), func.sum(Import.accepted))
        .where(Import.started_at > project.now() - RECENT, Import.state.not_in(("storing", "failed")))
        .group_by(func.date(Import.started_at))
    ).all()
    return sum(count for _day, count in rows) / len(rows) if rows else None


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
