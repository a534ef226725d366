"""The idempotent steps of a round that need no torch, and the registry of all steps (the others: `scoring_steps`)."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from db.tables import Person, Round
from trainer.adapters.card import read_card
from trainer.files import put_in_place
from trainer.messages import Message
from workbench.audit import read_head, record
from workbench.errors import RoundError
from workbench.exports.jsonl import labelled_posts, publish_newest, write_export
from workbench.project import Project
from workbench.rounds import gate
from workbench.rounds.base import place_of
from workbench.rounds.champion import champion_number
from workbench.rounds.shares import doubts_of_shares
from workbench.worker.adapting import adapt
from workbench.worker.attempts import GO, Attempt, Step, begin
from workbench.worker.child import run_child
from workbench.worker.torch_child import TorchChild


@dataclass(frozen=True)
class Steps:
    export: Step
    train: Step
    admit: Step
    evaluate: Step
    judge: Step
    score: Step
    weigh: Step
    promote: Step
    prepare: Step
    """Takes the number of an import."""
    adapt: Step
    """Takes the number of an adaptation."""

    @classmethod
    def of(cls, child: TorchChild) -> "Steps":
        return cls(
            export=export,
            train=train,
            admit=child.step("admit"),
            evaluate=evaluate,
            judge=judge,
            score=child.step("score"),
            weigh=weigh,
            promote=child.step("promote"),
            prepare=child.step("prepare"),
            adapt=adapt,
        )


def export(project: Project, number: int) -> str:
    attempt = begin(project, number, "exporting")
    until = project.now()  # earlier than the snapshot, so that no label is taken for one that the round has
    with project.database.read() as session:
        # All splits come from one read transaction.
        posts = labelled_posts(session, number)
        row = session.get_one(Round, number)
        by = session.get_one(Person, row.started_by_id).name
        head = read_head(session)
    part = attempt.folder / "annotations"
    write_export(part, posts, round_number=number, by=by, now=project.now(), audit_head=head)
    with attempt.finish(labels_until=until):
        put_in_place(part, project.export_folder(number))
        publish_newest(project.export_folder(number), project.annotations)
    return GO


def train(project: Project, number: int) -> str:
    attempt = begin(project, number, "training")
    with project.database.read() as session:
        row = session.get_one(Round, number)
    files = project.export_folder(number)
    adapter = attempt.folder / "adapter"
    command = ["trainer.train", "--train", files / "train.jsonl", "--eval", files / "validation.jsonl"]
    command += [
        "--out",
        adapter,
        "--base",
        place_of(project, row.base),
        *(["--quick"] if row.is_quick else []),
    ]
    run_child(attempt, "training", command)
    with attempt.finish():
        put_in_place(adapter, project.round_folder(number))
    return GO


def evaluate(project: Project, number: int) -> str:
    attempt = begin(project, number, "evaluating")
    with project.database.read() as session:
        champion = champion_number(session)
    files, adapter = project.export_folder(number), project.round_folder(number)
    out = attempt.folder / "evaluation"
    command = ["trainer.evaluate", "--model", adapter, "--test", files / "test.jsonl"]
    command += ["--train", files / "train.jsonl", "--out", out]
    command += [] if champion is None else ["--champion", project.round_folder(champion)]
    run_child(attempt, "evaluating", command)
    _find_doubts(attempt)
    keep_evaluation(attempt, out, champion)
    return GO


def keep_evaluation(attempt: Attempt, out: Path, champion: int | None) -> None:
    """Move the evaluation in `out` to the round, with its report in the row, and end the attempt."""
    adapter = attempt.project.round_folder(attempt.number)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    report["card"] = asdict(read_card(adapter))
    with attempt.finish(report=report) as session:
        if champion is not None:
            fill_in(session, champion, report)
        put_in_place(out, adapter / "evaluation")


def fill_in(session: Session, champion: int, report: Mapping[str, Any]) -> None:
    """Add metrics to a champion that was promoted without labelled test posts, from the report of its challenger."""
    row = session.get_one(Round, champion)
    measured_before, measured = row.report or {}, report.get("champion")
    if measured is not None and measured_before.get("metrics") is None:
        about = {name: report[name] for name in ("rows", "test_sha256")}
        row.report = {**measured_before, **about, "metrics": measured, "warnings": []}
        if row.verdict is not None:  # it repeats the warning that there are no metrics
            warnings = [
                line for line in row.verdict["warnings"] if line not in measured_before.get("warnings", ())
            ]
            row.verdict = {**row.verdict, "warnings": warnings}


def _find_doubts(attempt: Attempt) -> None:
    """Optional: an error is logged and does not fail the round."""
    project, number = attempt.project, attempt.number
    command = ["workbench.worker.doubting", "--train", project.export_folder(number) / "train.jsonl"]
    try:
        run_child(attempt, "doubting", [*command, "--adapter", project.round_folder(number)])
    except RoundError:
        logging.exception("the labels of round %s could not be looked at", number)


def judge(project: Project, number: int) -> str:
    """Returns GO if the gate promotes, which `weigh` may revise, else "awaiting" or "rejected"."""
    attempt = begin(project, number, "gating")
    with project.database.read() as session:
        row = session.get_one(Round, number)
        verdict = gate.judge(row.report or {}, is_first=champion_number(session) is None)
    if verdict.decision == "promote":
        with attempt.finish(verdict=verdict.to_dict()) as session:
            _record_outcome(session, project, number, verdict.decision, verdict.outcome)
            return GO
    state = "awaiting" if verdict.decision == "ask" else "rejected"
    with attempt.finish(
        verdict=verdict.to_dict(),
        state=state,
        is_running=False,
        finished_at=project.now(),
        decision_reason=None if state == "awaiting" else Message.joined(verdict.reasons).to_dict(),
    ) as session:
        _record_outcome(session, project, number, verdict.decision, verdict.outcome)
        return state


def _record_outcome(session: Session, project: Project, number: int, decision: str, outcome: str) -> None:
    record(session, project, None, "judge round", f"round {number}", decision=decision, outcome=outcome)


def weigh(project: Project, number: int) -> str:
    """Returns GO unless the scores contradict the labels of randomly drawn posts; then the lead decides.

    It follows the scoring of a round that the gate promotes; a lead's own decision is not weighed.
    """
    attempt = begin(project, number, "scoring")
    doubts = doubts_of_shares(project, number)
    if not doubts:
        with attempt.finish(step_attempts=0):
            return GO
    with project.database.read() as session:
        verdict = session.get_one(Round, number).verdict or {}
    reasons = [*(doubt.to_dict() for doubt in doubts), *verdict.get("reasons", ())]
    with attempt.finish(
        verdict={**verdict, "decision": "ask", "reasons": reasons},
        state="awaiting",
        is_running=False,
        finished_at=project.now(),
    ) as session:
        record(session, project, None, "leave round to a lead", f"round {number}", doubts=len(doubts))
        return "awaiting"
