"""Shared fixtures: an empty project with a clock that the test moves, and people in it."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.made_once import made_once
from workbench import accounts
from workbench.accounts import Account
from workbench.project import Project, init_project, open_project


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 1, 5, 9, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.moment

    def move(self, **by: float) -> None:
        self.moment += timedelta(**by)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def blank_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project; tests work on copies."""
    return made_once(tmp_path_factory, "blank", _make_blank) / "project"


def _make_blank(folder: Path) -> None:
    init_project(folder / "project").database.dispose()


@pytest.fixture
def project(blank_home: Path, tmp_path: Path, clock: Clock) -> Iterator[Project]:
    made = replace(open_project(shutil.copytree(blank_home, tmp_path / "project")), now=clock)
    yield made
    made.database.dispose()


@pytest.fixture
def lead(project: Project) -> Account:
    return accounts.sign_in(project, "林", "lead")


@pytest.fixture
def ann(project: Project) -> Account:
    return accounts.sign_in(project, "Ann", "annotator")


@pytest.fixture
def ben(project: Project) -> Account:
    return accounts.sign_in(project, "Ben", "annotator")
