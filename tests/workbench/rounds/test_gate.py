"""The gate promotes a round proven better, blocks one proven worse, and asks about the rest."""

import pytest

from trainer.messages import Message
from workbench.rounds.gate import judge

METRICS = {"macro_f1": 0.6}
BECAUSE = Message("because of {what}", what="it")


@pytest.mark.parametrize(
    ("outcome", "decision"), [("better", "promote"), ("worse", "reject"), ("undecided", "ask")]
)
def test_it_follows_the_comparison(outcome: str, decision: str) -> None:
    report = {"metrics": METRICS, "comparison": {"outcome": outcome, "reasons": [BECAUSE.to_dict()]}}
    verdict = judge(report, is_first=False)
    assert (verdict.decision, verdict.outcome, verdict.reasons) == (decision, outcome, (BECAUSE,))


def test_the_first_round_is_promoted_with_a_warning_where_a_linear_model_is_better() -> None:
    verdict = judge({"metrics": METRICS, "linear": {"macro_f1": 0.7}}, is_first=True)
    assert verdict.decision == "promote"
    assert "does not beat the linear baseline (macro-F1 0.600 against 0.700)" in str(verdict.warnings[0])


def test_without_test_rows_nothing_is_promoted_over_a_champion() -> None:
    warning = Message("no test rows")
    verdict = judge({"metrics": None, "warnings": [warning.to_dict()]}, is_first=False)
    assert (verdict.decision, verdict.warnings) == ("ask", (warning,))


def test_a_verdict_is_stored_with_its_messages_as_data() -> None:
    stored = judge({"warnings": [BECAUSE.to_dict()]}, is_first=True).to_dict()
    assert stored["warnings"] == [{"template": "because of {what}", "values": {"what": "it"}}]
    assert stored["reasons"] == [{"template": "there is no adapter in use to compare with", "values": {}}]
