"""Simulations with the settings of a project, in a process of their own: they need torch, the command does not."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict

from workbench.settings import Settings


def simulate(settings: Settings, arguments: Sequence[str]) -> int:
    """Run `trainer.simulate` where people see it; `default` is the queue of the settings. Returns its exit status."""
    band = {"low": settings.band_low, "high": settings.band_high}
    queue = ["--composition", json.dumps(asdict(settings.composition)), "--band", json.dumps(band)]
    # -P keeps data/ and models/ of the working directory off the child's import path.
    command = [sys.executable, "-P", "-m", "trainer.simulate", "--base", settings.base_model]
    return subprocess.run([*command, *queue, *arguments], check=False).returncode
