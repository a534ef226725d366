"""The project that this process serves."""

import os
from functools import cache
from pathlib import Path

from workbench.project import Project, open_project


@cache
def project() -> Project:
    # Opened once: all sessions and routes share its connections.
    return open_project(Path(os.environ.get("WORKBENCH_HOME", ".")))
