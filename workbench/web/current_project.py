"""The project that this process serves."""

import os
from dataclasses import replace
from functools import cache
from pathlib import Path

from workbench.labelling.options import settings_in_force
from workbench.project import Project, open_project


@cache
def opened() -> Project:
    # Opened once: all sessions and routes share its connections.
    return open_project(Path(os.environ.get("WORKBENCH_HOME", ".")))


@cache
def project() -> Project:
    """With the keys and reasons in force. A change of these clears this cache; one process serves all pages."""
    return replace(opened(), settings=settings_in_force(opened()))
