"""The gate: from a round's report to the decision on its adapter."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trainer.messages import Message

Decision = Literal["promote", "reject", "ask"]


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


def judge(report: Mapping[str, Any], *, is_first: bool) -> Verdict:
    """Promote the first adapter and any proven better, reject any proven worse, else ask the lead.

    `report` is report.json of `trainer.evaluate`; `is_first` means that no adapter is in use yet.
    """
    warnings = _warnings(report)
    if is_first:
        reason = Message("there is no adapter in use to compare with")
        return Verdict("promote", "first", (reason,), warnings)
    comparison = report.get("comparison")
    if comparison is None:
        reason = Message("no test post has a label yet, so candidate and adapter in use cannot be compared")
        return Verdict("ask", "undecided", (reason,), warnings)
    decisions: dict[str, Decision] = {"better": "promote", "worse": "reject"}
    outcome = comparison["outcome"]
    reasons = tuple(map(Message.from_dict, comparison["reasons"]))
    return Verdict(decisions.get(outcome, "ask"), outcome, reasons, warnings)


def _warnings(report: Mapping[str, Any]) -> tuple[Message, ...]:
    warnings = list(map(Message.from_dict, report.get("warnings", ())))
    metrics, linear = report.get("metrics"), report.get("linear")
    if metrics and linear and metrics["macro_f1"] <= linear["macro_f1"]:
        warnings.append(
            Message(
                "it does not beat the linear baseline (macro-F1 {own} against {linear})",
                own=f"{metrics['macro_f1']:.3f}",
                linear=f"{linear['macro_f1']:.3f}",
            )
        )
    return tuple(warnings)
