"""Checks of the machine, base encoder and project: estimated duration of a round, and problems with their remedies."""

import json
import os
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trainer.messages import Message
from trainer.running.children import module_command, start
from workbench import services
from workbench.auditing.checking import examine_audit
from workbench.demo.files import sample_folder
from workbench.errors import WorkbenchError
from workbench.project import FOLDERS, is_project, open_project
from workbench.queue.status import read_status
from workbench.rounds import lifecycle
from workbench.settings import FILE_NAME, Settings, load_settings

LEAST_FREE_BYTES = 10**9
GIB = 2**30


@dataclass(frozen=True)
class Workload:
    labels: int
    validation: int
    posts: int
    is_example: bool = False
    """Whether the counts are examples and not those of a project."""


EXAMPLE = Workload(
    labels=5_000,
    validation=Settings.model_fields["validation_target"].default,
    posts=100_000,
    is_example=True,
)


@dataclass(frozen=True)
class Duration:
    """Upper bounds: `epochs` is without early stopping. `cost` is in the unit of the price."""

    epochs: int
    training_minutes: float
    scoring_minutes: float
    minutes: float
    cost: float | None


@dataclass(frozen=True)
class Checkup:
    """`machine` and `is_base_here` are None if the measurement failed, `worker` without a project."""

    home: str
    base: str
    is_base_here: bool | None
    machine: dict[str, Any] | None
    posts_per_second: dict[str, float] | None
    workload: Workload
    round: Duration | None
    free_disk: int
    worker: bool | None
    audit: str | None
    """The head up to which the audit is intact; None without a project."""
    problems: tuple[Message, ...]

    @property
    def can_run(self) -> bool:
        return self.round is not None

    def to_dict(self) -> dict[str, Any]:
        """Problems in English: JSON does not depend on the reader's language."""
        return {
            **asdict(self),
            "problems": [str(problem) for problem in self.problems],
            "can_run": self.can_run,
        }


@dataclass(frozen=True)
class _Project:
    workload: Workload = EXAMPLE
    worker: bool | None = None
    audit: str | None = None
    problems: tuple[Message, ...] = ()


Look = Callable[[str, Workload], dict[str, Any]]
"""Takes base and workload, returns the JSON of `trainer.doctor`. Raises WorkbenchError."""


def look(base: str, work: Workload, *extra: str) -> dict[str, Any]:
    """Measures in a child process with the worker's priority. Raises WorkbenchError if it fails."""
    posts = sample_folder() / "posts.tsv"
    counts = ("--labels", work.labels, "--validation", work.validation, "--pool", work.posts)
    arguments = ("--posts", posts, "--base", base, *counts, *extra)
    command = module_command("trainer.doctor", *arguments, niceness=services.NICENESS)
    with start(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        output = child.stdout.read()
    if child.returncode < 0:
        raise WorkbenchError(
            "The system ended the measurement with signal {signal} (out of memory?). Free memory or use a smaller base.",
            signal=-child.returncode,
        )
    if child.returncode:
        raise WorkbenchError("The measurement failed; the line above on standard error says why.")
    measured: dict[str, Any] = json.loads(output)
    return measured


def examine(home: Path, *, base: str | None = None, price: float | None = None, look: Look = look) -> Checkup:
    """`price` is per hour of this machine. Without a project the workload is EXAMPLE.

    Raises WorkbenchError if the project cannot be opened.
    """
    base = base or load_settings(home).base_model
    project = _look_at_project(home) if is_project(home) else _Project()
    measured: dict[str, Any] = {}
    problems: list[Message] = []
    load, _, _ = os.getloadavg()  # before the measurement adds its own
    try:
        measured = look(base, project.workload)
    except WorkbenchError as error:
        problems.append(error.message)
    free = shutil.disk_usage(_nearest_folder(home)).free
    problems += [*_machine_problems(measured), *_load_problems(measured, load)]
    problems += [*_disk_problems(home, free), *_privacy_problems(home), *project.problems]
    return Checkup(
        home=str(home.resolve()),
        base=base,
        is_base_here=measured.get("is_base_here"),
        machine=measured.get("machine"),
        posts_per_second=measured.get("speed"),
        workload=project.workload,
        round=_duration(measured.get("estimate"), price),
        free_disk=free,
        worker=project.worker,
        audit=project.audit,
        problems=tuple(problems),
    )


def _look_at_project(home: Path) -> _Project:
    project = open_project(home)
    status = read_status(project)
    with project.database.read() as session:
        is_busy = lifecycle.running(session) is not None
    audit = examine_audit(project)
    project.database.dispose()
    pool, unprepared, validation = (
        sum(status.labels.get(split, {}).values()) for split in ("pool", "unprepared", "validation")
    )
    labels = pool + unprepared  # their preparation precedes the round
    problems = [] if audit.problem is None else [audit.problem]
    if not status.worker:
        problems.append(services.worker_hint(project.home))
    elif is_busy:
        problems.append(
            Message("A round is under way, so these speeds are too low: look again when it has ended.")
        )
    if labels >= lifecycle.FEWEST_LABELS:
        work = Workload(labels, validation, status.posts)
        return _Project(work, status.worker, str(audit.head), tuple(problems))
    problems.append(
        Message(
            "A round needs {least} labelled posts to learn from, and there are {count}: label more, or bring labels "
            "with `workbench import-labels`.",
            least=lifecycle.FEWEST_LABELS,
            count=labels,
        )
    )
    return _Project(EXAMPLE, status.worker, str(audit.head), tuple(problems))


def _machine_problems(measured: dict[str, Any]) -> list[Message]:
    if not measured:
        return []
    problems = []
    reason = None if measured["problem"] is None else Message.from_dict(measured["problem"])
    if not measured["is_base_here"]:
        problems.append(
            Message(
                "{reason} (HF_ENDPOINT names a mirror of the hub, --base-model an encoder's folder).",
                reason=reason,
            )
        )
    elif reason is not None:
        problems.append(Message("{reason}.", reason=reason))
    if measured["machine"]["has_unused_gpu"]:
        problems.append(
            Message(
                "There is an NVIDIA driver, but torch sees no GPU: install the torch built for its CUDA version."
            )
        )
    return problems


def _load_problems(measured: dict[str, Any], load: float) -> list[Message]:
    is_measured_on_cpu = measured.get("speed") is not None and measured["machine"]["gpu"] is None
    if not is_measured_on_cpu or load <= measured["machine"]["cores"] / 2:
        return []
    return [
        Message(
            "Other programs keep the processor busy (load {load:.1f}), so these speeds are too low: look again when it "
            "is idle.",
            load=load,
        )
    ]


def _disk_problems(home: Path, free: int) -> list[Message]:
    if free >= LEAST_FREE_BYTES:
        return []
    return [
        Message(
            "Only {free} are free in {home}: make room, each round leaves an adapter and scores there.",
            free=size_text(free),
            home=home,
        )
    ]


def _privacy_problems(home: Path) -> list[Message]:
    """Other users of the machine reach a project that an earlier version or another umask has left open."""
    if not is_project(home) or not _is_open(home):
        return []
    paths = [path for name in (*FOLDERS, FILE_NAME) if (path := home / name).exists() and _is_open(path)]
    if not paths:
        return []
    named = " ".join(shlex.quote(str(path)) for path in paths)
    return [
        Message(
            "Other users of this machine can open the project. Close it: chmod -R go= {named}", named=named
        )
    ]


def _is_open(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _nearest_folder(home: Path) -> Path:
    """The folder itself, or its nearest existing parent."""
    return next(folder for folder in (home.resolve(), *home.resolve().parents) if folder.is_dir())


def _duration(estimate: dict[str, Any] | None, price: float | None) -> Duration | None:
    if estimate is None:
        return None
    training, scoring = estimate["training_seconds"] / 60, estimate["scoring_seconds"] / 60
    return Duration(
        epochs=estimate["epochs"],
        training_minutes=round(training, 1),
        scoring_minutes=round(scoring, 1),
        minutes=round(training + scoring, 1),
        cost=None if price is None else round((training + scoring) / 60 * price, 4),
    )


def size_text(count: int) -> str:
    return f"{count / GIB:.1f} GiB"
