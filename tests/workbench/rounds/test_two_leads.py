"""Two leads act at once: the second one gets an error that names the change, and has no effect."""

import pytest

from db.tables import Policy, Round
from tests.workbench.making import judge_held_out, make_champion
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


def test_a_round_rejected_meanwhile_is_not_put_in_use(four_rounds: Project, lead: Account) -> None:
    lifecycle.reject(four_rounds, lead, 4, "misses adverts")
    with pytest.raises(RoundError, match="awaits no decision: it is rejected"):
        lifecycle.promote(four_rounds, lead, 4, expected_state="awaiting")
    assert state_of(four_rounds, 4) == "rejected"


def test_a_rejected_round_can_still_be_put_in_use_on_purpose(four_rounds: Project, lead: Account) -> None:
    lifecycle.reject(four_rounds, lead, 4, "misses adverts")
    lifecycle.promote(four_rounds, lead, 4)
    with four_rounds.database.read() as session:
        row = session.get_one(Round, 4)
        assert (row.state, row.decision_reason) == ("scoring", Message.verbatim("misses adverts").to_dict())


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
