"""Progress of commands that run for long: a bar at a terminal, a line now and then elsewhere."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Protocol

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from trainer.running.progress import Occasional
from workbench.commands.terminal import err
from workbench.commands.wording.language import told


class Show(Protocol):
    def __call__(self, description: str, done: int, total: int | None) -> None: ...


@contextmanager
def showing(description: str) -> Iterator[Show]:
    if err.is_terminal:
        with _bar() as progress:
            task = progress.add_task(description, total=None)

            def show(description: str, done: int, total: int | None) -> None:
                progress.update(task, description=description, completed=done, total=total)

            yield show
        return
    with closing(Occasional(description, tell=told)) as lines:

        def write(description: str, done: int, total: int | None) -> None:
            lines.description = description
            lines.step(done, total or 0)

        yield write


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=err,
    )
