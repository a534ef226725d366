"""Shared fixtures: an empty project with a clock that the test sets, and its people."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Engine, create_engine

import db.session
from tests.made_once import made_once
from tests.workbench.team import member
from workbench.accounts import Account
from workbench.project import Project, init_project, open_project

# No deadline: it would only detect a busy machine.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


RAM_DISK, RAM_NEEDED = Path("/dev/shm"), 2 * 2**30


def pytest_configure() -> None:
    """One thread per process, children included: several processes run at once, and their tensors are small.

    Temporary folders lie in memory where there is room: each commit and each new file waits for a disk otherwise.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["LANGUAGE"] = "en"  # of commands, whatever the language of this terminal is
    if RAM_DISK.is_dir() and shutil.disk_usage(RAM_DISK).free > RAM_NEEDED:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(RAM_DISK))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests first: the last test to start is then a short one, and no process waits for another's."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """Imported modules never become garbage: the collections that each training asks for pass over them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def statements_compiled_once() -> Iterator[None]:
    """Each test opens its own database, and each engine would compile every statement again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db.session, "create_engine", _SharedStatements())
        yield


class _SharedStatements:
    """Creates engines that share a dialect and, with it, its cache of compiled statements."""

    def __init__(self) -> None:
        self._first: Engine | None = None

    def __call__(self, url: str, **options: Any) -> Engine:
        engine = create_engine(url, **options)
        if self._first is None:
            self._first = create_engine(url, query_cache_size=5_000, **options)
            with self._first.connect():
                pass  # which reads the features of this SQLite
            self._first.dispose()
        engine.dialect, engine._compiled_cache = self._first.dialect, self._first._compiled_cache
        return engine


@dataclass
class Clock:
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
    """Tests work on copies."""
    return made_once(tmp_path_factory, "blank", _make_blank) / "project"


def _make_blank(folder: Path) -> None:
    init_project(folder / "project").database.dispose()


@pytest.fixture
def project(blank_home: Path, tmp_path: Path, clock: Clock) -> Iterator[Project]:
    opened = replace(open_project(shutil.copytree(blank_home, tmp_path / "project")), now=clock)
    yield opened
    opened.database.dispose()


@pytest.fixture
def open_home() -> Iterator[Callable[[Path], Project]]:
    with ExitStack() as stack:

        def opened(home: Path) -> Project:
            project = open_project(home)
            stack.callback(project.database.dispose)
            return project

        yield opened


@pytest.fixture
def lead(project: Project) -> Account:
    return member(project, "林", "lead")


@pytest.fixture
def ann(project: Project) -> Account:
    return member(project, "Ann", "annotator")


@pytest.fixture
def ben(project: Project) -> Account:
    return member(project, "Ben", "annotator")
