"""The gate promotes a round proven better, blocks one proven worse, and leaves the rest to the lead."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.messages import Message
from trainer.statistics.comparison import compare
from trainer.statistics.evidence import Evidence, evidence
from trainer.statistics.gain import Gain
from workbench.rounds.gate import FEWEST_POSTS, FEWEST_VIOLATIONS, Verdict, judge

BECAUSE = Message("because of {what}", what="it")
PROVEN, UNPROVEN = Gain(0.6, 0.3, (0.1, 0.4)), Gain(0.6, 0.5, (-0.1, 0.3))
GOOD = Evidence(posts=200, violations=40, linear=PROVEN, majority=PROVEN)


def report_of(
    test: Evidence | None = GOOD, folded: Evidence | None = None, outcome: str | None = None
) -> dict[str, Any]:
    kept = {"test": test, "out_of_fold": folded}
    report: dict[str, Any] = {
        "evidence": {name: found.to_dict() if found else None for name, found in kept.items()}
    }
    if outcome is not None:
        report["comparison"] = {"outcome": outcome, "reasons": [BECAUSE.to_dict()]}
    return report


def evidence_with(**values: Any) -> Evidence:
    return Evidence(**({"posts": 200, "violations": 40, "linear": PROVEN, "majority": PROVEN} | values))


def said(verdict: Verdict) -> str:
    return "; ".join(map(str, verdict.reasons))


@pytest.mark.parametrize(
    ("outcome", "decision"), [("better", "promote"), ("worse", "reject"), ("undecided", "ask")]
)
def test_it_follows_the_comparison(outcome: str, decision: str) -> None:
    verdict = judge(report_of(outcome=outcome), is_first=False)
    assert (verdict.decision, verdict.outcome, verdict.reasons) == (decision, outcome, (BECAUSE,))


def test_a_first_adapter_with_enough_good_test_posts_goes_into_use() -> None:
    assert judge(report_of(), is_first=True).decision == "promote"
    smallest = evidence_with(posts=FEWEST_POSTS, violations=FEWEST_VIOLATIONS)
    assert judge(report_of(smallest), is_first=True).decision == "promote"


FEW = [
    evidence_with(posts=FEWEST_POSTS - 1),
    evidence_with(violations=FEWEST_VIOLATIONS - 1),
    evidence_with(posts=2, violations=1),
    None,
]


@pytest.mark.parametrize("test", FEW)
@pytest.mark.parametrize("outcome", ["better", "worse", "undecided"])
def test_few_test_posts_neither_promote_nor_reject_beside_a_champion(
    test: Evidence | None, outcome: str
) -> None:
    for folded in (None, GOOD):
        verdict = judge(report_of(test, folded, outcome), is_first=False)
        assert (verdict.decision, verdict.outcome) == ("ask", "undecided")
        assert "decide nothing by themselves" in str(verdict.reasons[0])


@pytest.mark.parametrize("test", FEW)
def test_few_test_posts_leave_a_first_adapter_to_its_out_of_fold_predictions(test: Evidence | None) -> None:
    assert judge(report_of(test), is_first=True).decision == "ask"
    verdict = judge(report_of(test, GOOD), is_first=True)
    assert verdict.decision == "promote"
    assert "judged instead on 200 training posts, each by a model trained without it" in said(verdict)


@pytest.mark.parametrize(
    ("folded", "reason"),
    [
        (
            evidence_with(linear=UNPROVEN),
            "not proven to beat the linear baseline (macro-F1 0.500; 95% interval",
        ),
        (evidence_with(majority=UNPROVEN), "not proven to beat giving every post the commonest label"),
        (evidence_with(violations=4), "200 such posts with 4 violations are too few as well"),
    ],
)
def test_out_of_fold_predictions_without_proof_leave_it_to_the_lead(folded: Evidence, reason: str) -> None:
    verdict = judge(report_of(FEW[0], folded), is_first=True)
    assert verdict.decision == "ask"
    assert reason in said(verdict)


@pytest.mark.parametrize(("is_first", "outcome"), [(True, None), (False, "better")])
def test_an_adapter_below_the_linear_baseline_waits(is_first: bool, outcome: str | None) -> None:
    worse = evidence_with(linear=Gain(0.6, 0.7, (-0.2, 0.1)))
    verdict = judge(report_of(worse, GOOD, outcome), is_first=is_first)
    assert verdict.decision == "ask"
    assert "does worse than the linear baseline on the test posts (macro-F1 0.600 against 0.700)" in said(
        verdict
    )
    level = evidence_with(linear=Gain(0.7, 0.7, (-0.1, 0.1)))
    assert judge(report_of(level, None, outcome), is_first=is_first).decision == "promote"


def test_warnings_of_the_report_are_kept() -> None:
    warning = Message("no test rows")
    verdict = judge({"warnings": [warning.to_dict()]}, is_first=False)
    assert (verdict.decision, verdict.warnings) == ("ask", (warning,))


def test_a_verdict_is_stored_with_its_messages_as_data() -> None:
    stored = judge(report_of() | {"warnings": [BECAUSE.to_dict()]}, is_first=True).to_dict()
    assert stored["warnings"] == [{"template": "because of {what}", "values": {"what": "it"}}]
    assert stored["reasons"] == [{"template": "there is no adapter in use to compare with", "values": {}}]


@given(
    st.integers(FEWEST_POSTS, 400),
    st.floats(0.01, 0.9),
    st.sampled_from([0, 1, 2]),
    st.sampled_from(["nothing", "constant", "random", "good"]),
    st.integers(0, 10_000),
)
@settings(max_examples=60)
def test_a_model_that_says_one_label_of_all_posts_is_never_promoted(
    posts: int, share: float, constant: int, champion: str, seed: int
) -> None:
    """However many test posts there are, whatever is in use."""
    draw = np.random.default_rng(seed)
    truth = draw.choice(3, posts, p=[(1 - share) / 2, (1 - share) / 2, share])
    truth[:FEWEST_VIOLATIONS] = 2
    guesses = {
        "constant": np.full(posts, draw.integers(3)),
        "random": draw.integers(0, 3, posts),
        "good": np.where(draw.random(posts) < 0.8, truth, 0),
    }
    challenger, weights, groups = np.full(posts, constant), np.ones(posts), list(range(posts))
    found = evidence(challenger, challenger, truth, weights, groups, rng=draw, resamples=200)
    report = report_of(found, found)
    if champion != "nothing":
        rows = (np.eye(3)[guesses[champion]], np.eye(3)[challenger], truth, groups)
        report["comparison"] = compare(*rows, rng=draw, resamples=200).to_dict()
    assert judge(report, is_first=champion == "nothing").decision != "promote"


@given(st.integers(FEWEST_POSTS, 300), st.sampled_from([0, 1, 2]), st.integers(0, 10_000))
@settings(max_examples=30)
def test_a_champion_that_says_one_label_of_all_posts_never_blocks_a_good_model(
    posts: int, constant: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    truth = np.arange(posts) % 3
    good = np.where(draw.random(posts) < 0.85, truth, draw.integers(0, 3, posts))
    rows = (np.eye(3)[np.full(posts, constant)], np.eye(3)[good], truth, list(range(posts)))
    report = report_of() | {"comparison": compare(*rows, rng=draw, resamples=500).to_dict()}
    assert judge(report, is_first=False).decision == "promote"
