"""What the worker does by itself is recorded as well, in the transaction that does it."""

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

import workbench
from db.tables import AuditEntry, RejectedRow
from tests.conftest import Clock
from tests.workbench.making import add_adaptation, add_round, make_champion, ready_queue, write_tsv
from trainer.messages import Message
from workbench import audit
from workbench.accounts import Account, command_line
from workbench.adapting import lifecycle as adapting
from workbench.commands.running import score_command
from workbench.imports import intake, retention
from workbench.imports.retention import forget_old_rejects
from workbench.imports.tsv import open_tsv
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.scores.round_scores import RoundScores, Scores
from workbench.worker import steps
from workbench.worker.promoting import promote_with

UNSURE = np.tile([0.5, 0.2, 0.3], (40, 1))


def newest(project: Project) -> tuple[int | None, str, str, dict[str, Any]]:
    with project.database.read() as session:
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    return entry.person_id, entry.action, entry.subject, entry.detail


@pytest.mark.parametrize("is_decided", [False, True])
def test_what_is_put_in_use_is_recorded_with_its_base(
    project: Project, lead: Account, is_decided: bool
) -> None:
    ready_queue(project, lead, 40)
    make_champion(project, lead, UNSURE)
    RoundScores.of(project, 2).append(Scores(np.arange(1, 41, dtype=np.int64), UNSURE.astype(np.float32)))
    person = lead.id if is_decided else None
    add_round(project, lead, 2, state="scoring", is_running=True, base="mine", decided_by_id=person)
    promote_with(project, 2, vectors=None)
    detail = {"previous": 1, "base": "mine", "rolled_back": False}
    assert newest(project) == (person, "put in use", "round 2", detail)


def test_the_outcome_of_the_gate_is_recorded(project: Project, lead: Account) -> None:
    add_round(project, lead, state="evaluating", is_running=True, report={})
    state = steps.judge(project, 1)
    assert state == "awaiting"
    person, action, subject, detail = newest(project)
    assert (person, action, subject, detail["decision"]) == (None, "judge round", "round 1", "ask")


def test_a_failure_is_recorded_without_its_text_and_only_if_it_ended_the_work(
    project: Project, lead: Account
) -> None:
    add_round(project, lead, state="training", is_running=True, attempt=2)
    add_adaptation(project, lead, state="running", is_running=True, is_in_use=False, attempt=2)
    failure = Message.verbatim("line 3: 加微信")
    for fail, subject in ((lifecycle.fail, "round 1"), (adapting.fail, "adaptation 1")):
        with project.database.write() as session:
            before = audit.read_head(session)
            fail(session, project, 1, 1, failure)
            assert audit.read_head(session) == before
            fail(session, project, 1, 2, failure)
        person, action, about, detail = newest(project)
        assert (person, action, about, detail) == (None, f"{subject.split()[0]} failed", subject, {})


def test_rows_that_are_too_old_are_recorded_once_for_each_import(
    project: Project, lead: Account, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    for name in ("a", "b"):
        rows = [{"id": f"{name}{at}", "text": " "} for at in range(5)]
        with open_tsv(write_tsv(project.home / f"{name}.tsv", rows)) as source:
            intake.import_rows(project, lead, source)
    clock.move(days=91)
    assert forget_old_rejects(project) == 10
    assert forget_old_rejects(project) == 0
    with project.database.read() as session:
        assert session.scalars(select(RejectedRow.line)).all() == []
        entries = session.execute(
            select(AuditEntry.subject, AuditEntry.detail).where(AuditEntry.action == "delete unreadable rows")
        )
        assert [tuple(entry) for entry in entries] == [
            (f"import {number}", {"rows": 5, "days": 90}) for number in (1, 2)
        ]


def test_scoring_that_is_asked_for_is_recorded(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 40)
    make_champion(project, lead, UNSURE)
    score_command(project.home)
    assert newest(project) == (command_line(project).id, "score", "posts", {})


def test_nothing_else_writes_entries() -> None:
    """An entry without a digest over the one before it would break the chain."""
    root = Path(str(workbench.__file__)).parent
    writing = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and (
            node.func.id == "AuditEntry"
            or (
                node.func.id in {"insert", "update", "delete"}
                and any(isinstance(one, ast.Name) and one.id == "AuditEntry" for one in node.args)
            )
        )
    }
    assert writing == {"audit.py"}
