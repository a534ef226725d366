"""Versions of the thresholds: chosen on validation, measured on test, in force once saved."""

import json
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from sqlalchemy import select, text
from typer.testing import CliRunner

from db.tables import Annotation, AuditEntry, Post, PostGroup, QueueEntry
from tests.conftest import Clock
from tests.workbench.making import (
    add_policy,
    give_times,
    judge_held_out,
    make_champion,
    posts_of,
    ready_queue,
)
from trainer.statistics.thresholds import CUTS, VERDICTS, Prices, Thresholds, expected
from workbench.accounts import Account
from workbench.cli import app
from workbench.errors import InputError, NotAllowedError, RoundError
from workbench.project import Project
from workbench.queue import plan, swap
from workbench.queue.band import band_counts
from workbench.thresholds import policy, verdicts
from workbench.thresholds.volumes import Volumes

PRICES = Prices(20, 5, 1)


def proposed(project: Project, lead: Account, prices: Prices = PRICES) -> policy.Proposal:
    return policy.propose(policy.read_evidence(project, lead), prices)


def jobs_waiting(project: Project) -> set[str]:
    with project.database.read() as session:
        return set(session.scalars(text("SELECT workflow_uuid FROM workflow_status")))


def test_thresholds_are_the_cheapest_on_validation_and_told_on_test(project: Project, lead: Account) -> None:
    score, is_violation = judge_held_out(project, lead)
    proposal = proposed(project, lead)
    chosen = proposal.choice.thresholds

    def cost(posts: list[int], low: float, high: float, trust: int = 0) -> float:
        total = 0.0
        for post in posts:
            bad = (len(posts) * is_violation[post - 1] + trust * score[post - 1]) / (len(posts) + trust)
            if score[post - 1] < low:
                total += 20 * bad
            elif score[post - 1] >= high:
                total += 5 * (1 - bad)
            else:
                total += 1
        return total / len(posts)

    validation, test = posts_of(project, "validation"), posts_of(project, "test")
    cheapest = min(
        cost(validation, low, high, 900) for low in CUTS[::20] for high in CUTS[::20] if low <= high
    )
    assert cost(validation, chosen.pass_below, chosen.flag_from, 900) <= cheapest + 1e-9
    assert proposal.expected.cost.mean == pytest.approx(cost(test, chosen.pass_below, chosen.flag_from))
    assert (proposal.validation_posts, proposal.expected.rows) == (len(validation), len(test))
    missed = [post for post in test if score[post - 1] < chosen.pass_below and is_violation[post - 1]]
    assert proposal.expected.missed.mean == pytest.approx(len(missed) / len(test))


def test_volumes_are_those_that_decide_writes(project: Project, lead: Account) -> None:
    judge_held_out(project, lead)
    proposal = proposed(project, lead)
    policy.save(project, lead, proposal)
    written = verdicts.decide(project, lead)
    assert proposal.whole == Volumes(*(written.verdicts[name] for name in VERDICTS))
    assert written.by_people > 0


def test_the_volumes_of_a_day_are_unknown_without_times(project: Project, lead: Account) -> None:
    judge_held_out(project, lead)
    assert proposed(project, lead).day is None


def test_a_day_gets_the_models_shares_of_all_posts(project: Project, lead: Account) -> None:
    score, _ = judge_held_out(project, lead)
    give_times(project, [date(2026, 1, 1), date(2026, 1, 4)])
    proposal = proposed(project, lead)
    low, high = proposal.choice.thresholds.pass_below, proposal.choice.thresholds.flag_from
    passed, flagged = (score < low).sum(), (score >= high).sum()
    human = len(score) - passed - flagged
    assert proposal.day == Volumes(*(round(count / 4) for count in (passed, human, flagged)))


def test_what_is_caught_and_which_flags_are_right_is_measured_on_test(
    project: Project, lead: Account
) -> None:
    score, is_violation = judge_held_out(project, lead)
    proposal = proposed(project, lead, Prices(3, 1, 1))
    test = np.array(posts_of(project, "test")) - 1
    caught = (score[test] >= proposal.choice.thresholds.pass_below)[is_violation[test]]
    flags = is_violation[test][score[test] >= proposal.choice.thresholds.flag_from]
    assert proposal.caught is not None
    assert proposal.caught.mean == pytest.approx(caught.mean())
    assert proposal.right_flags is not None
    assert proposal.right_flags.mean == pytest.approx(flags.mean())


def test_every_pair_of_cuts_shares_out_every_post() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.random(500), CUTS[:1001:50]])
    spread = plan.count_thousandths(scores)
    cuts = [0.0, *np.sort(rng.choice(CUTS, 8, replace=False)), float(CUTS[-1])]
    for low, high in pairwise(cuts):
        by_model = Thresholds(low, high).verdicts(scores)
        volumes = policy.volumes(spread, Thresholds(low, high))
        assert [volumes.passed, volumes.human, volumes.flagged] == np.bincount(by_model, minlength=3).tolist()


def test_rows_drawn_with_half_the_chance_count_double(project: Project, lead: Account) -> None:
    """Three in four test posts of the lowest stratum lose their label: each remaining one has weight four."""
    judge_held_out(project, lead)
    whole = policy.read_evidence(project, lead).test
    low = [post for post in posts_of(project, "test") if _stratum(project, post) == 0]
    with project.database.write() as session:
        gone = [post for at, post in enumerate(low) if at % 4]
        for label in session.scalars(select(Annotation).where(Annotation.post_id.in_(gone))).all():
            session.add(
                Annotation(
                    post_id=label.post_id,
                    person_id=lead.id,
                    action="undo",
                    label_set_id=label.label_set_id,
                    supersedes_id=label.id,
                    saved_at=project.now(),
                )
            )
    rows = policy.read_evidence(project, lead).test
    assert len(rows) < len(whole)
    assert rows.weights.sum() == pytest.approx(len(whole), abs=0.01)
    assert max(rows.weights) == pytest.approx(len(low) / len(low[::4]), abs=0.001)
    assert expected(Thresholds(0, 1), rows, PRICES).cost.mean == pytest.approx(1)


def _stratum(project: Project, post: int) -> int | None:
    with project.database.read() as session:
        query = select(PostGroup.stratum).join(Post, Post.group_id == PostGroup.id).where(Post.id == post)
        return session.scalar(query)


def test_saved_thresholds_are_a_new_version_and_fill_the_queue_again(
    project: Project, lead: Account, clock: Clock
) -> None:
    judge_held_out(project, lead)
    before = jobs_waiting(project)
    clock.move(minutes=1)
    assert policy.save(project, lead, proposed(project, lead), low=0.5, high=0.9) == 1
    assert policy.save(project, lead, proposed(project, lead, Prices(1, 1, 0))) == 2
    assert jobs_waiting(project) - before == {"policy-1", "policy-2"}
    with project.database.read() as session:
        newest, first = policy.history(session)
        assert session.scalars(select(AuditEntry.subject)).all()[-2:] == ["version 1", "version 2"]
        band = policy.band_in_force(session, project)
    assert (newest["version"], newest["band"], newest["by"]) == (2, [0.5, 0.9], "林")
    assert (newest["pass_below"], newest["flag_from"]) == (0, CUTS[-1])
    assert first["prices"] == PRICES.to_dict()
    assert (band.low, band.high, band.at_least) == (0.5, 0.9, project.settings.queue_at_least)


def test_the_queue_follows_the_policys_band(project: Project, lead: Account, clock: Clock) -> None:
    ready_queue(project, lead, 300)
    few = project.settings.model_copy(update={"queue_at_least": 1})
    object.__setattr__(project, "settings", few)
    top = np.random.default_rng(0).uniform(0.34, 0.99, 300)
    make_champion(project, lead, np.stack([top, (1 - top) / 2, (1 - top) / 2], axis=1))
    pool = np.array([top[post - 1] for post in posts_of(project, "pool")], dtype=np.float32)

    def counted() -> tuple[int, int]:
        with project.database.read() as session:
            counts = band_counts(session, project)
        return counts.in_band, counts.below_band

    def expected(low: float, high: float) -> tuple[int, int]:
        return int(((pool >= low) & (pool <= high)).sum()), int((pool < low).sum())

    assert counted() == expected(0.4, 0.6)
    assert swap.confidence_histogram(project)[400:600].sum() == expected(0.4, 0.6)[0]
    clock.move(minutes=1)
    add_policy(project, lead, band_low=0.45, band_high=0.8)
    assert counted() == expected(0.4, 0.6)  # until the queue is refilled
    swap.rebuild(project)
    assert counted() == expected(0.45, 0.8)
    with project.database.read() as session:
        scores = session.scalars(select(QueueEntry.normal).where(QueueEntry.lane == "uncertain")).all()
    assert 0.75 < max(score for score in scores if score is not None) <= 0.8


def test_only_a_lead_sets_thresholds(project: Project, lead: Account, ann: Account) -> None:
    judge_held_out(project, lead)
    proposal = proposed(project, lead)
    with pytest.raises(NotAllowedError):
        policy.read_evidence(project, ann)
    with pytest.raises(NotAllowedError):
        policy.save(project, ann, proposal)
    with project.database.read() as session:
        assert policy.in_force(session) is None


@pytest.mark.parametrize("prices", [(-1, 1, 1), (1, float("nan"), 1), (1, 1, float("inf"))])
def test_prices_below_zero_or_without_end_are_refused(
    project: Project, lead: Account, prices: tuple[float, float, float]
) -> None:
    judge_held_out(project, lead)
    with pytest.raises(InputError, match="from 0 up"):
        proposed(project, lead, Prices(*prices))


@pytest.mark.parametrize(("low", "high"), [(0.6, 0.4), (0.0, 0.5), (0.5, 1.0), (0.7, None)])
def test_a_band_that_is_none_is_refused(
    project: Project, lead: Account, low: float | None, high: float | None
) -> None:
    judge_held_out(project, lead)
    with pytest.raises(InputError, match="band"):
        policy.save(project, lead, proposed(project, lead), low=low, high=high)


def test_without_a_round_or_labels_it_is_said_what_is_lacking(project: Project, lead: Account) -> None:
    with pytest.raises(RoundError, match="No round is in use"):
        policy.read_evidence(project, lead)
    ready_queue(project, lead, 40)
    make_champion(project, lead, np.full((40, 3), 1 / 3))
    with pytest.raises(RoundError, match="30 labelled posts of validation"):
        policy.read_evidence(project, lead)


def test_the_command_says_what_the_first_thresholds_need(project: Project, lead: Account) -> None:
    def printed() -> str:
        result = CliRunner().invoke(app, ["policy", "--home", str(project.home)])
        assert result.exit_code == 0, result.output
        return result.output

    assert "30 labelled posts each of validation and test" in printed()
    assert "workbench round start --wait" in printed()
    ready_queue(project, lead, 40)
    make_champion(project, lead, np.full((40, 3), 1 / 3))
    assert "there are 0 with 0" in printed()


def test_commands_set_and_show_the_policy(project: Project, lead: Account) -> None:
    judge_held_out(project, lead)

    def output_of(*words: str) -> str:
        result = CliRunner().invoke(app, ["policy", *words, "--home", str(project.home)])
        assert result.exit_code == 0, result.output
        return result.output

    assert "policy set" in output_of()
    prices = ("--missed", "20", "--false-alarm", "5", "--look", "1")
    saved = json.loads(output_of("set", *prices, "--low", "0.3", "--high", "0.7", "--json"))
    expected = json.loads(json.dumps(proposed(project, lead).to_dict()))
    for key in ("pass_below", "flag_from", "prices", "expected", "volumes"):
        assert saved[key] == expected[key]
    (version,) = json.loads(output_of("--json"))["versions"]
    assert (version["version"], version["band"]) == (1, [0.3, 0.7])
    assert version["pass_below"] == saved["pass_below"]
    assert "20 / 5 / 1" in output_of()
