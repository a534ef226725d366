"""Each process records the settings that it starts with, once for each change."""

from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from db.tables import AuditEntry
from workbench.auditing.settings_in_force import IN_FORCE, MARK_BYTES, record_settings
from workbench.project import Project


def recorded(project: Project) -> list[tuple[str, Any]]:
    with project.database.read() as session:
        rows = session.execute(
            select(AuditEntry.subject, AuditEntry.detail)
            .where(AuditEntry.action == IN_FORCE)
            .order_by(AuditEntry.id)
        )
        return [(row.subject, row.detail) for row in rows]


def having(project: Project, **settings: object) -> Project:
    return replace(project, settings=project.settings.model_copy(update=settings))


def test_only_a_start_with_other_settings_is_recorded(project: Project) -> None:
    for band_low in (0.4, 0.4, 0.3, 0.3, 0.4):
        record_settings(having(project, band_low=band_low), "worker")
    entries = recorded(project)
    assert [(detail["changed"], detail["settings"]["band_low"]) for _, detail in entries] == [
        ([], 0.4),
        (["band_low"], 0.3),
        (["band_low"], 0.4),
    ]
    assert {process for process, _ in entries} == {"worker"}


def test_the_first_start_names_what_is_not_the_default(project: Project) -> None:
    record_settings(having(project, base_model="mine", allowed_hosts=("box",)), "web app")
    ((_, detail),) = recorded(project)
    assert detail["changed"] == ["allowed_hosts", "base_model"]


def test_two_processes_with_different_settings_do_not_take_turns(project: Project) -> None:
    for _ in range(2):
        record_settings(having(project, port=9), "web app")
        record_settings(project, "worker")
    assert [process for process, _ in recorded(project)] == ["web app", "worker"]


def test_a_start_with_the_settings_of_before_waits_for_no_writer(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_settings(project, "worker")
    with project.database.write():
        record_settings(project, "worker")
    assert len(recorded(project)) == 1


def test_a_secret_is_a_mark_that_changes_with_it(project: Project) -> None:
    for secret in (None, "hunter2", "hunter2", "hunter3"):
        kept = None if secret is None else SecretStr(secret)
        record_settings(having(project, oidc_client_secret=kept), "web app")
    entries = [detail for _, detail in recorded(project)]
    assert [entry["changed"] for entry in entries[1:]] == [["oidc_client_secret"]] * 2
    assert entries[0]["settings"]["oidc_client_secret"] is None
    marks = [entry["settings"]["oidc_client_secret"] for entry in entries[1:]]
    assert [len(mark) for mark in marks] == [2 * MARK_BYTES] * 2
    assert "hunter" not in str(entries)
    assert "*" not in str(marks)
