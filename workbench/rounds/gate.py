"""The gate: from a round's report to the decision on its adapter.

Putting an adapter in use by itself takes proof; a doubt leaves the decision to the lead.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from trainer.messages import Message
from trainer.statistics.evidence import Evidence
from trainer.statistics.gain import Gain

Decision = Literal["promote", "reject", "ask"]

FEWEST_POSTS = 30
FEWEST_VIOLATIONS = 5
"""With fewer, near-copies counted once, labelled posts decide nothing by themselves."""


@dataclass(frozen=True)
class Verdict:
    decision: Decision
    outcome: str
    reasons: tuple[Message, ...]
    warnings: tuple[Message, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "decision": self.decision,
            "outcome": self.outcome,
            "reasons": [reason.to_dict() for reason in self.reasons],
            "warnings": [warning.to_dict() for warning in self.warnings],
        }

    def doubted(self, doubts: Sequence[Message]) -> "Verdict":
        """The verdict with these reasons to wait for the lead instead of promoting, if there are any."""
        decision: Decision = "ask" if doubts and self.decision == "promote" else self.decision
        return replace(self, decision=decision, reasons=(*self.reasons, *doubts))


def judge(report: Mapping[str, Any], *, is_first: bool) -> Verdict:
    """Promote an adapter that is proven better, reject one that is proven worse, else ask the lead.

    `report` is report.json of `trainer.evaluate`; `is_first` means that no adapter is in use yet. While test posts
    are few, out-of-fold predictions decide about a first adapter, and nothing is rejected.
    """
    test, folded = _evidence(report, "test"), _evidence(report, "out_of_fold")
    if test is None or not _is_enough(test):
        verdict = _before_test(folded, is_first=is_first)
        verdict = replace(verdict, reasons=(_too_few(test), *verdict.reasons))
    else:
        verdict = _by_test(report, is_first=is_first).doubted(tuple(_doubts_of_test(test)))
    return replace(verdict, warnings=tuple(map(Message.from_dict, report.get("warnings", ()))))


def _evidence(report: Mapping[str, Any], name: str) -> Evidence | None:
    values = report.get("evidence", {}).get(name)
    return None if values is None else Evidence.from_dict(values)


def _is_enough(evidence: Evidence) -> bool:
    return evidence.posts >= FEWEST_POSTS and evidence.violations >= FEWEST_VIOLATIONS


def _too_few(test: Evidence | None) -> Message:
    return Message(
        "{posts} labelled test posts with {violations} violations decide nothing by themselves: "
        "{fewest} with {fewest_violations} do",
        posts=0 if test is None else test.posts,
        violations=0 if test is None else test.violations,
        fewest=FEWEST_POSTS,
        fewest_violations=FEWEST_VIOLATIONS,
    )


def _by_test(report: Mapping[str, Any], *, is_first: bool) -> Verdict:
    if is_first:
        return Verdict("promote", "first", (Message("there is no adapter in use to compare with"),))
    comparison = report["comparison"]
    decisions: dict[str, Decision] = {"better": "promote", "worse": "reject"}
    reasons = tuple(map(Message.from_dict, comparison["reasons"]))
    return Verdict(decisions.get(comparison["outcome"], "ask"), comparison["outcome"], reasons)


def _doubts_of_test(test: Evidence) -> Iterator[Message]:
    linear = test.linear
    if linear is not None and linear.difference < 0:
        yield Message(
            "it does worse than the linear baseline on the test posts (macro-F1 {own} against {linear})",
            own=f"{linear.own:.3f}",
            linear=f"{linear.other:.3f}",
        )
    if not test.majority.is_proven:
        yield _like_one_label(test.majority)


def _before_test(folded: Evidence | None, *, is_first: bool) -> Verdict:
    if folded is None:
        seen = Message(
            "nor was it judged on training posts left out of its training: only a full round on this machine "
            "does so, with enough training posts and few validation posts"
        )
        return Verdict("ask", "first" if is_first else "undecided", (seen,))
    if not is_first:
        alone = Message("the adapter in use learned from these posts, so they cannot compare the two")
        return Verdict("ask", "undecided", (_tried(folded), alone))
    verdict = Verdict("promote", "first", (_tried(folded),))
    return verdict.doubted(tuple(_doubts_of_folds(folded)))


def _tried(folded: Evidence) -> Message:
    return Message(
        "judged instead on {posts} training posts, each by a model trained without it: macro-F1 {own}",
        posts=f"{folded.posts:,}",
        own=f"{folded.macro_f1:.3f}",
    )


def _doubts_of_folds(folded: Evidence) -> Iterator[Message]:
    if not _is_enough(folded):
        yield Message(
            "{posts} such posts with {violations} violations are too few as well",
            posts=folded.posts,
            violations=folded.violations,
        )
    if folded.linear is not None and not folded.linear.is_proven:
        yield Message(
            "it is not proven to beat the linear baseline (macro-F1 {other}; 95% interval of the difference "
            "{low} to {high} points)",
            other=f"{folded.linear.other:.3f}",
            low=_points(folded.linear.interval[0]),
            high=_points(folded.linear.interval[1]),
        )
    if not folded.majority.is_proven:
        yield _like_one_label(folded.majority)


def _like_one_label(majority: Gain) -> Message:
    return Message(
        "it is not proven to beat giving every post the commonest label (macro-F1 {other}; 95% interval of the "
        "difference {low} to {high} points)",
        other=f"{majority.other:.3f}",
        low=_points(majority.interval[0]),
        high=_points(majority.interval[1]),
    )


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"
