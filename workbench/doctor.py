"""Checks of the machine, base encoder and project: estimated duration of a round, and problems with their remedies."""

import json
import math
import os
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
    problems: tuple[str, ...]

    @property
    def can_run(self) -> bool:
        return self.round is not None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "can_run": self.can_run}


@dataclass(frozen=True)
class _Project:
    workload: Workload = EXAMPLE
    worker: bool | None = None
    audit: str | None = None
    problems: tuple[str, ...] = ()


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
    problems: list[str] = []
    load, _, _ = os.getloadavg()  # before the measurement adds its own
    try:
        measured = look(base, project.workload)
    except WorkbenchError as error:
        problems.append(str(error))
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


def rows(checkup: Checkup) -> list[tuple[str, str]]:
    base = {None: "not looked at", True: "here", False: "not here"}[checkup.is_base_here]
    worker = {None: "no project here", True: "running", False: "not running"}[checkup.worker]
    return [
        *_machine_rows(checkup.machine),
        ("base encoder", f"{checkup.base}, {base}"),
        *((name, f"{speed:,.0f} posts/s") for name, speed in (checkup.posts_per_second or {}).items()),
        *_round_rows(checkup.workload, checkup.round),
        ("worker", worker),
        ("audit", "no project here" if checkup.audit is None else f"intact up to {checkup.audit}"),
        ("free disk", _size(checkup.free_disk)),
    ]


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
    problems = [] if audit.problem is None else [str(audit.problem)]
    if not status.worker:
        problems.append(services.worker_hint(project.home))
    elif is_busy:
        problems.append("A round is under way, so these speeds are too low: look again when it has ended.")
    if labels >= lifecycle.FEWEST_LABELS:
        work = Workload(labels, validation, status.posts)
        return _Project(work, status.worker, str(audit.head), tuple(problems))
    problems.append(
        f"A round needs {lifecycle.FEWEST_LABELS} labelled posts to learn from, and there are {labels}: label more, "
        "or bring labels with `workbench import-labels`."
    )
    return _Project(EXAMPLE, status.worker, str(audit.head), tuple(problems))


def _machine_problems(measured: dict[str, Any]) -> list[str]:
    problems = []
    if measured and not measured["is_base_here"]:
        problems.append(
            f"{measured['problem']} (HF_ENDPOINT names a mirror of the hub, --base-model an encoder's folder)."
        )
    elif measured and measured["problem"]:
        problems.append(f"{measured['problem']}.")
    if measured and measured["machine"]["has_unused_gpu"]:
        problems.append(
            "There is an NVIDIA driver, but torch sees no GPU: install the torch built for its CUDA version."
        )
    return problems


def _load_problems(measured: dict[str, Any], load: float) -> list[str]:
    is_measured_on_cpu = measured.get("speed") is not None and measured["machine"]["gpu"] is None
    if not is_measured_on_cpu or load <= measured["machine"]["cores"] / 2:
        return []
    return [
        f"Other programs keep the processor busy (load {load:.1f}), so these speeds are too low: look again when "
        "it is idle."
    ]


def _disk_problems(home: Path, free: int) -> list[str]:
    if free >= LEAST_FREE_BYTES:
        return []
    return [
        f"Only {_size(free)} are free in {home}: make room, each round leaves an adapter and scores there."
    ]


def _privacy_problems(home: Path) -> list[str]:
    """Other users of the machine reach a project that an earlier version or another umask has left open."""
    if not is_project(home) or not _is_open(home):
        return []
    paths = [path for name in (*FOLDERS, FILE_NAME) if (path := home / name).exists() and _is_open(path)]
    if not paths:
        return []
    named = " ".join(shlex.quote(str(path)) for path in paths)
    return [f"Other users of this machine can open the project. Close it: chmod -R go= {named}"]


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


def _machine_rows(machine: dict[str, Any] | None) -> list[tuple[str, str]]:
    if machine is None:
        return []
    gpu = "none" if machine["gpu"] is None else f"{machine['gpu']}, {_size(machine['gpu_memory'])}"
    return [
        ("processor", f"{machine['cores']} cores, {_size(machine['memory'])} memory"),
        ("GPU", gpu),
        ("precision", f"training {machine['training_precision']}, scoring {machine['scoring_precision']}"),
    ]


def _round_rows(work: Workload, duration: Duration | None) -> list[tuple[str, str]]:
    if duration is None:
        return []
    whose = "an example" if work.is_example else "as in this project"
    rows = [
        ("a round", f"at most {_time(duration.minutes)}"),
        ("", f"for {work.labels:,} labels and {work.posts:,} posts, {whose}"),
        ("", f"training {_time(duration.training_minutes)}, scoring {_time(duration.scoring_minutes)}"),
        ("", f"all {duration.epochs} epochs counted; training may stop earlier"),
        ("", "measured on the sample posts; longer posts take longer"),
    ]
    if duration.cost is not None:
        rows.append(("cost", f"at most {math.ceil(duration.cost * 100) / 100:,.2f}"))
    return rows


def _time(minutes: float) -> str:
    if minutes < 1:
        return "a minute"
    return f"{math.ceil(minutes)} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB"
