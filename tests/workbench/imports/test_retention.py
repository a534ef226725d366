"""Unreadable rows are kept for the days of the settings, and their counts for ever."""

from dataclasses import replace

import pytest

from db.tables import Import
from tests.conftest import Clock
from tests.workbench.making import write_tsv
from workbench.accounts import Account
from workbench.imports import intake, retention
from workbench.imports.retention import forget_old_rejects
from workbench.imports.tsv import open_tsv
from workbench.project import Project


def import_broken(project: Project, lead: Account, name: str, rows: int = 3) -> int:
    file = write_tsv(project.home / name, [{"id": f"{name}-{at}", "text": " "} for at in range(rows)])
    with open_tsv(file) as source:
        return intake.import_rows(project, lead, source).import_id


def test_rows_go_after_their_days_and_younger_ones_stay(
    project: Project, lead: Account, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    old = import_broken(project, lead, "old.tsv")
    clock.move(days=60)
    new = import_broken(project, lead, "new.tsv")
    assert forget_old_rejects(project) == 0
    clock.move(days=31)
    assert forget_old_rejects(project) == 3
    assert [len(intake.rejects_of(project, number)) for number in (old, new)] == [0, 3]
    with project.database.read() as session:
        assert session.get_one(Import, old).rejected == 3


def test_zero_days_keep_them_for_ever(project: Project, lead: Account, clock: Clock) -> None:
    number = import_broken(project, lead, "old.tsv")
    clock.move(days=10_000)
    settings = project.settings.model_copy(update={"rejects_kept_days": 0})
    assert forget_old_rejects(replace(project, settings=settings)) == 0
    assert len(intake.rejects_of(project, number)) == 3
