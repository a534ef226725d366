"""Waiting at the terminal for a job of the worker, with a worker of the command's own where the project has none."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from trainer.running.children import Child
from workbench import services
from workbench.commands.progress import Show, showing
from workbench.commands.terminal import warn
from workbench.errors import WorkbenchError
from workbench.locks import WORKER, is_held
from workbench.project import Project
from workbench.rounds import lifecycle

POLL_SECONDS = 0.5
WORKER_PATIENCE_SECONDS = 120
"""Longer than a low-priority worker on a busy machine takes to load torch."""


@dataclass(frozen=True)
class Look:
    """What a job shows now; `total` is None where it is unknown."""

    description: str
    done: int
    total: int | None
    is_over: bool


def wait(
    project: Project, name: str, kind: str, look: Callable[[], Look], without_worker: WorkbenchError
) -> None:
    """Returns once `look` says that the job is over.

    Raises WorkbenchError if a worker started here ends by itself, and `without_worker` if none runs for
    WORKER_PATIENCE_SECONDS.
    """
    with ExitStack() as stack:
        worker = None
        if stack.enter_context(services.launching(project)):
            warn("No worker is running: this command runs one until {kind} has ended.", kind=kind)
            worker = stack.enter_context(services.worker(project))
        _watch(project, look, stack.enter_context(showing(name)), worker, without_worker)


def _watch(
    project: Project,
    look: Callable[[], Look],
    show: Show,
    worker: Child | None,
    without_worker: WorkbenchError,
) -> None:
    seen_worker = time.monotonic()
    while not (seen := look()).is_over:
        if worker is not None and worker.poll() is not None:
            refuse_end(project)
            worker = None
        if lifecycle.is_worker_running(project):
            seen_worker = time.monotonic()
        elif time.monotonic() - seen_worker > WORKER_PATIENCE_SECONDS:
            raise without_worker
        show(seen.description, seen.done, seen.total)
        time.sleep(POLL_SECONDS)


def refuse_end(project: Project) -> None:
    """A worker ends by itself where another one, not started by a command, has come before it: that one goes on."""
    if not is_held(project.data / WORKER):
        raise WorkbenchError("{name} ended by itself; the lines above say why.", name="The worker")
