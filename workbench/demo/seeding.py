"""The sample project: four weeks of a team, ending yesterday, with the rounds that ship with the sample."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from db.session import leave_unsynced
from trainer.files import new_folder
from trainer.messages import Message
from workbench.demo.clock import Clock
from workbench.demo.files import Opinions, history_folder, sample_folder
from workbench.demo.shipped import Shipped
from workbench.demo.story import Story
from workbench.demo.work import Made, Work
from workbench.errors import InputError
from workbench.project import PRIVATE, Project, init_project, is_project, open_project
from workbench.settings import FILE_NAME

SETTINGS = """base_model = "starter"
second_opinion_share = 15
held_out_share = 30
validation_target = 180
test_target = 300
"""
"""A small forum: more second opinions and held-out labels than by default, and fewer of these in the end."""


BEFORE = timedelta(days=60)
"""The project exists before its first day."""


def seed(home: Path, now: datetime, *, say: Callable[[Message], None]) -> Project:
    """Create the sample project in `home`, or open the one that is there. `now` has the reader's time zone.

    Raises TrainerError if `home` holds something else, InputError if it is a project but no demo, in which visitors would
    choose who they are, WorkbenchError if the sample is incomplete.
    """
    if not is_project(home):
        say(Message("Making the sample project: four weeks of a team ..."))
        with _without_collection():
            tell(home, now, Shipped(history_folder(sample_folder())).made()).database.dispose()
    project = open_project(home)
    if not project.demo_mark.exists():
        raise InputError(
            "{home} is a project of your own, or a demo of an earlier version. Open it with `workbench up`, or name another folder with --home.",
            home=home,
        )
    return project


def tell(home: Path, now: datetime, made: Made) -> Project:
    """Create the project in `home`, whole or not at all."""
    sample = sample_folder()
    with new_folder(home) as part:
        part.chmod(PRIVATE)
        settings = part / FILE_NAME
        settings.touch(mode=0o600)
        settings.write_text(SETTINGS, encoding="utf-8")
        clock = Clock(now - BEFORE)
        project = init_project(part, now=clock)
        project.demo_mark.touch(mode=0o600)
        leave_unsynced(project.database)
        told = without_checks(project)
        Story(told, clock, Work(told, clock, made), sample, Opinions.read(sample)).tell(now)
        project.database.dispose()
    return open_project(home)


def without_checks(project: Project) -> Project:
    """Check posts take turns of others, and the rounds that ship learned from the posts that were served without."""
    return replace(project, settings=project.settings.model_copy(update={"check_share": 0}))


@contextmanager
def _without_collection() -> Iterator[None]:
    """Thousands of short transactions leave little to collect, and looking for it takes a sixth of their time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
