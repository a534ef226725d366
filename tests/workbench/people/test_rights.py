"""Roles against actions: every use case asks the database for its right before it looks at anything else.

A use case is a public function that is given a project and an account. Its right is written down here, so that a looser one
fails; a new use case fails until it has a line.
"""

import ast
from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock, NonCallableMagicMock

import pytest
from sqlalchemy import select

import workbench
from db.tables import AuditEntry
from tests.workbench.team import member
from workbench.accounts import RIGHTS, ROLES, Right
from workbench.errors import NotAllowedError
from workbench.people.sessions import SignedIn
from workbench.project import Project

PACKAGE = Path(str(workbench.__file__)).parent
CHECKS = {"acting", "reading", "check"}
ELSEWHERE = {"accounts", "commands", "web"}
"""The checks themselves, and callers of use cases."""

ACTIONS: dict[Right, str] = {
    Right.LABEL: """
        labelling.answers: hold_posts submit skip ask_lead undo change give_reason flag copies_of propagate keep_draft
        labelling.answers: bring_back_skipped recent_answers
        labelling.checks: change give_reason flag
        people.entering: change_password
        people.preferences: prefer end_welcome
        people.sessions: open_sessions end_own end_others
        posts.saved: save saved_searches forget
        posts.search: choices posts_of
        review.quality: read_my_work
    """,
    Right.REVIEW: """
        assigning.progress: read_team count_by_board
        labelling.timesheet: timesheet
        overview.figures: read_overview
        overview.radar: read_radar
        overview.watch_list: decided_terms
        overview.weeks: read_weeks
        posts.history: history_of number_of
        review.agreement: read_agreement
        review.bulk_labels: preview preview_of label_all take_back newest
        review.cases: open_cases resolved_case
        review.doubts: doubtful_labels count_doubtful_labels
        review.old_labels: old_labels count_old_labels settle_many
        review.quality: read_team_quality
        review.resolutions: resolve take_back undo
        review.rulings: listed_rulings
    """,
    Right.IMPORT: """
        imports.intake: import_rows
        imports.storing: store_the_rest
        labelling.label_files: import_labels
    """,
    Right.RUN_ROUNDS: """
        adapting.lifecycle: start cancel turn_off
        rounds.adoption: adopt
        rounds.automatic.rules: set_rule skip_next
        rounds.behaviour: read_behaviour
        rounds.comparison: compare_rounds
        rounds.lifecycle: start cancel promote reject rollback
    """,
    Right.EXPORT: """
        exports.labelled_posts: export_labels
        rounds.bundles: bundle
        rounds.merged_export: export_merged
        thresholds.verdicts: decide
        thresholds.written: written_verdicts
    """,
    Right.SET_GUIDELINES: """
        labelling.guidelines: publish
        labelling.options: set_options
        review.rulings: preview settle withdraw look_again
    """,
    Right.SET_POLICY: """
        thresholds.policy: read_evidence save
        thresholds.recent: examples
    """,
    Right.SET_WATCH_LIST: """
        overview.watch_list: watch_term dismiss_term clear_term
    """,
    Right.PURGE: """
        purging.purge: purge
    """,
    Right.MANAGE_PEOPLE: """
        assigning.assignments: assign_board
        assigning.goals: set_goal
        assigning.groups: make_group set_members delete_group
        people.identities: link unlink
        people.invitations: invite password_link password_links open_links withdraw
        people.members: listing add change_role disable enable
    """,
    Right.READ_AUDIT: """
        auditing.checking: check_audit
        auditing.export: write_audit lines_of
        auditing.listing: find people
    """,
}
BY_CIRCUMSTANCE = {"posts.search.find", *(f"review.comments.{name}" for name in (
    "say", "discussion_of", "waiting_discussions", "discussions", "mark_read"
))}  # fmt: skip
"""Their right depends on what is asked for, or whose post it is; their own tests tell."""


def actions() -> Iterator[tuple[str, Right]]:
    for right, lines in ACTIONS.items():
        for line in lines.split("\n"):
            module, _, names = line.strip().partition(":")
            yield from ((f"{module}.{name}", right) for name in names.split())


def use_cases() -> set[str]:
    """Public functions that check a right themselves."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if module.partition(".")[0] not in ELSEWHERE:
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and _checks(node):
                    found.add(f"{module}.{node.name}")
    return found


def _checks(function: ast.FunctionDef) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CHECKS
        for node in ast.walk(function)
    )


def function(action: str) -> Callable[..., Any]:
    module, _, name = action.rpartition(".")
    found: Callable[..., Any] = getattr(import_module(f"workbench.{module}"), name)
    return found


def test_every_use_case_has_its_right_here() -> None:
    assert use_cases() <= {action for action, _ in actions()} | BY_CIRCUMSTANCE


@pytest.mark.parametrize(
    ("action", "right", "role"),
    [(action, right, role) for action, right in actions() for role in ROLES if right not in RIGHTS[role]],
)
def test_a_role_without_the_right_is_refused_before_anything_else(
    project: Project, action: str, right: Right, role: str
) -> None:
    account = member(project, "某人", role)
    with pytest.raises(NotAllowedError, match="某人 may not do this"):
        _attempt(action, _arguments(action, project, SignedIn(account, 1, "password")))
    with project.database.read() as session:
        refused = session.scalars(select(AuditEntry.subject).where(AuditEntry.action == "refused")).all()
    assert refused == [right]


def _attempt(action: str, arguments: dict[str, Any]) -> None:
    result = function(action)(**arguments)
    if isinstance(result, Iterator):
        next(result)  # it begins with the first line


def _arguments(action: str, project: Project, visitor: SignedIn) -> dict[str, Any]:
    """Anything for what is required: it must not be looked at, except for a label, which the code knows without reading."""
    known = {"project": project, "account": visitor.account, "by": visitor.account, "visitor": visitor}
    known |= {"label": "normal", "draft": MagicMock(label="normal"), "import_id": 1}
    return {
        name: known.get(name, NonCallableMagicMock(name=name))
        for name, parameter in signature(function(action)).parameters.items()
        if parameter.default is Parameter.empty and parameter.kind is not Parameter.VAR_KEYWORD
    }
