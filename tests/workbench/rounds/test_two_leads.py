"""Two leads act at once: the second one gets an error that names the change, and has no effect."""

import pytest
from sqlalchemy import select

from db.tables import AuditEntry, Policy, Round
from tests.conftest import Clock
from tests.workbench.making import judge_held_out, make_champion
from tests.workbench.team import member
from tests.workbench.web.views.rounds.test_page import add_round, put_in_use, state_of
from trainer.messages import Message
from trainer.statistics.thresholds import Prices
from workbench.accounts import Account
from workbench.errors import InputError, RoundError
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.thresholds import policy


@pytest.fixture
def four_rounds(project: Project, lead: Account) -> Project:
    """Rounds 1, 2 and 3 were promoted in turn; round 4 awaits a decision."""
    for number, before in ((1, None), (2, 1), (3, 2)):
        add_round(project, lead, number, "promoted")
        put_in_use(project, lead, number, before)
    add_round(project, lead, 4, "awaiting")
    return project


def test_a_rollback_leads_where_the_page_said_or_nowhere(four_rounds: Project, lead: Account) -> None:
    with pytest.raises(RoundError, match="would lead to round 2, not to round 1"):
        lifecycle.rollback(four_rounds, lead, 1)
    assert [state_of(four_rounds, number) for number in (1, 2)] == ["promoted", "promoted"]
    assert lifecycle.rollback(four_rounds, lead, 2) == 2
    assert state_of(four_rounds, 2) == "scoring"


def test_a_rollback_by_command_names_no_round(four_rounds: Project, lead: Account) -> None:
    assert lifecycle.rollback(four_rounds, lead) == 2


def test_a_rollback_under_way_names_the_lead_who_began_it_and_its_own_time(
    four_rounds: Project, lead: Account, clock: Clock
) -> None:
    other = member(four_rounds, "Lea", "lead")
    clock.move(hours=3)
    lifecycle.rollback(four_rounds, other)
    with pytest.raises(RoundError, match="Round 2 is already under way, started by Lea"):
        lifecycle.rollback(four_rounds, lead)
    with four_rounds.database.read() as session:
        assert session.get_one(Round, 2).started_at == four_rounds.now()


def test_epochs_without_validation_posts_draw_no_curve(four_rounds: Project) -> None:
    file = lifecycle.progress_file(four_rounds, 4, "training")
    file.parent.mkdir(parents=True)
    file.write_text('{"epoch": 1, "macro_f1": null}\n{"epoch": 2, "macro_f1": 0.5}\n', encoding="utf-8")
    with four_rounds.database.read() as session:
        assert lifecycle.read_progress(four_rounds, session.get_one(Round, 4)).macro_f1 == [(2, 0.5)]


def test_a_round_rejected_meanwhile_is_not_put_in_use(four_rounds: Project, lead: Account) -> None:
    lifecycle.reject(four_rounds, lead, 4, "misses adverts")
    with pytest.raises(RoundError, match="awaits no decision: it is rejected"):
        lifecycle.promote(four_rounds, lead, 4, expected_state="awaiting")
    assert state_of(four_rounds, 4) == "rejected"


def test_a_rejected_round_can_still_be_put_in_use_on_purpose(four_rounds: Project, lead: Account) -> None:
    lifecycle.reject(four_rounds, lead, 4, "misses adverts")
    lifecycle.promote(four_rounds, lead, 4, "adverts are rare")
    with four_rounds.database.read() as session:
        row = session.get_one(Round, 4)
        reason = Message.verbatim("adverts are rare").to_dict()
        assert (row.state, row.state_before, row.decision_reason) == ("scoring", "rejected", reason)
        audit = session.scalars(select(AuditEntry).where(AuditEntry.action == "promote round")).one()
        assert (audit.person_id, audit.subject, audit.detail) == (
            lead.id,
            "round 4",
            {"reason": "adverts are rare"},
        )


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_round_that_awaits_no_decision_is_put_in_use_with_a_reason_only(
    four_rounds: Project, lead: Account, reason: str | None
) -> None:
    lifecycle.reject(four_rounds, lead, 4, "misses adverts")
    for number, state in ((4, "rejected"), (1, "promoted")):
        with pytest.raises(RoundError, match=f"it is {state}. To put it in use all the same, write why"):
            lifecycle.promote(four_rounds, lead, number, reason)
        assert state_of(four_rounds, number) == state


def test_an_earlier_round_is_put_back_in_use_with_a_reason(four_rounds: Project, lead: Account) -> None:
    lifecycle.promote(four_rounds, lead, 1, "finds more spam")
    assert state_of(four_rounds, 1) == "scoring"


def test_thresholds_saved_meanwhile_are_not_passed_over(project: Project, lead: Account) -> None:
    judge_held_out(project, lead)
    proposal = policy.propose(policy.read_evidence(project, lead), Prices(20, 5, 1))
    assert policy.save(project, lead, proposal, expected_version=0) == 1
    with pytest.raises(InputError, match="Version 1 has come into force meanwhile"):
        policy.save(project, lead, proposal, expected_version=0)
    assert policy.save(project, lead, proposal, expected_version=1) == 2
    assert policy.save(project, lead, proposal) == 3


def test_thresholds_of_a_round_no_longer_in_use_are_not_saved(project: Project, lead: Account) -> None:
    score, _is_violation = judge_held_out(project, lead)
    proposal = policy.propose(policy.read_evidence(project, lead), Prices(20, 5, 1))
    make_champion(project, lead, (score[:, None] * [-1, 0, 1]) + [1, 0, 0], number=2)
    with pytest.raises(InputError, match="Round 1, which these thresholds were chosen for"):
        policy.save(project, lead, proposal)
    with project.database.read() as session:
        assert session.get(Policy, 1) is None
