"""The gate: what a round's report says about putting its adapter in use. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Decision = Literal["promote", "reject", "ask"]


@dataclass(frozen=True)
class Verdict:
    """What happens next, and why. `warnings` are for the lead to read even when it is promoted."""

    decision: Decision
    outcome: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {
            "decision": self.decision,
            "outcome": self.outcome,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
        }


def judge(report: Mapping[str, Any], *, is_first: bool) -> Verdict:
    """Promote the first round and what is proven better, block what is proven worse, else ask the lead.

    Args:
        report: report.json of `trainer.evaluate`.
        is_first: no adapter is in use yet.
    """
    warnings = _warnings(report)
    if is_first:
        return Verdict("promote", "first", ("there is no adapter in use to compare with",), warnings)
    comparison = report.get("comparison")
    if comparison is None:
        reason = "no test post has a label yet, so candidate and adapter in use cannot be compared"
        return Verdict("ask", "undecided", (reason,), warnings)
    decisions: dict[str, Decision] = {"better": "promote", "worse": "reject"}
    outcome = comparison["outcome"]
    return Verdict(decisions.get(outcome, "ask"), outcome, tuple(comparison["reasons"]), warnings)


def _warnings(report: Mapping[str, Any]) -> tuple[str, ...]:
    warnings = list(report.get("warnings", ()))
    metrics, linear = report.get("metrics"), report.get("linear")
    if metrics and linear and metrics["macro_f1"] <= linear["macro_f1"]:
        warnings.append(
            f"it does not beat the linear baseline (macro-F1 {metrics['macro_f1']:.3f} against {linear['macro_f1']:.3f})"
        )
    return tuple(warnings)
