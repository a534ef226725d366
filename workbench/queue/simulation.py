"""Simulations with a project's settings, in a child process: they need torch, and the command must not load it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from trainer.running.children import module_command, start
from trainer.selection.lanes import Band
from workbench.project import is_project, open_project
from workbench.settings import Settings, load_settings
from workbench.thresholds.policy import band_in_force


def queue_of(home: Path) -> tuple[Settings, Band]:
    if not is_project(home):
        settings = load_settings(home)
        return settings, settings.band
    project = open_project(home)
    with project.database.read() as session:
        return project.settings, band_in_force(session, project)


def simulate(settings: Settings, in_force: Band, arguments: Sequence[str]) -> int:
    band = {"low": in_force.low, "high": in_force.high}
    queue = ["--composition", json.dumps(asdict(settings.composition)), "--band", json.dumps(band)]
    with start(
        module_command("trainer.simulate", "--base", settings.base_model, *queue, *arguments)
    ) as child:
        return child.wait()
