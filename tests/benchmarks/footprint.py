"""CPU seconds of a command, and the resident memory of the app and its worker while both are idle.

Run as: python -m tests.benchmarks.footprint [--home DIR]

Uses the sample project, created anew unless `--home` names one. Measures the CPU seconds of `workbench --help` and
`workbench status` against `python -c "import typer, rich, sqlalchemy"`; the resident memory of `workbench up`, its web
process and its worker after a minute without a request; the time from queueing a round to its first step.
`docs/benchmarks.md` has the last table.
"""

import argparse
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import median

from tests.e2e.conftest import child, free_port, is_served, stop, wait_until
from workbench import accounts
from workbench.demo.seeding import seed
from workbench.project import Project, open_project
from workbench.rounds import lifecycle
from workbench.services import worker_command

Row = tuple[str, str, str, str]

REFERENCE = [sys.executable, "-c", "import typer, rich, sqlalchemy"]
WORKBENCH = [sys.executable, "-m", "workbench.cli"]
TURNS = 5
IDLE_SECONDS = 60.0
MOST_MIB = 600
MIB = 2**20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(command: Sequence[str]) -> float:
    """Includes child processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands(home: Path) -> list[Row]:
    """Commands and reference take turns, so that other load on the machine affects all alike."""
    measured = {
        "`workbench --help`": [*WORKBENCH, "--help"],
        "`workbench status`": [*WORKBENCH, "status", "--home", str(home)],
        "`workbench status`, loading alone": [sys.executable, "-c", "import workbench.commands.status"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in ("reference", *measured)}
    for _ in range(TURNS):
        seconds["reference"].append(cpu_seconds(REFERENCE))
        for name, command in measured.items():
            seconds[name].append(cpu_seconds(command))
    reference = median(seconds["reference"])
    usual = f"{reference:.2f} (import typer, rich, sqlalchemy)"
    return [
        (
            f"{name}, CPU s",
            f"{median(seconds[name]):.2f}",
            usual,
            f"{median(seconds[name]) / reference:.1f}x",
        )
        for name in measured
    ]


def descendants(process_id: int) -> list[int]:
    """The process itself first, then its children and theirs."""
    processes = [process_id]
    for one in processes:
        listed = Path(f"/proc/{one}/task/{one}/children").read_text(encoding="ascii")
        processes += map(int, listed.split())
    return processes


def resident(process_id: int) -> float:
    """MiB."""
    pages = Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * PAGE_BYTES / MIB


def idle(home: Path, seconds: float) -> list[Row]:
    port = free_port()
    command = [*WORKBENCH, "up", "--home", str(home), "--port", str(port)]
    with child(command) as process:
        try:
            wait_until(lambda: is_served(f"http://127.0.0.1:{port}"), 120)
            time.sleep(seconds)
            sizes = [resident(one) for one in descendants(process.pid)]
        finally:
            stop(process)
    shown = " + ".join(f"{size:.0f}" for size in sizes)
    return [("`workbench up` idle, MiB resident", f"{sum(sizes):.0f} ({shown})", f"{MOST_MIB} (target)", "")]


def first_step(project: Project) -> list[Row]:
    """Seconds from queueing a round to its first step, with an idle worker at its usual priority."""
    lead = accounts.command_line(project)
    with child(worker_command(project.home)) as worker:
        try:
            wait_until(lambda: lifecycle.is_worker_running(project), 120)
            time.sleep(10)
            number = lifecycle.start(project, lead, is_quick=True)
            began = time.perf_counter()
            wait_until(lambda: _state(project, number) != "queued", 120)
            passed = time.perf_counter() - began
            lifecycle.cancel(project, lead, number)
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait()
    return [("from queueing a round to its first step, s", f"{passed:.1f}", "", "")]


def _state(project: Project, number: int) -> str:
    with project.database.read() as session:
        return lifecycle.find(session, number).state


def measure(project: Project) -> list[Row]:
    return [*commands(project.home), *idle(project.home, IDLE_SECONDS), *first_step(project)]


def rows(folder: Path) -> list[Row]:
    now = datetime.now().astimezone()
    return measure(seed(folder / "demo", now, say=lambda text: print(text, file=sys.stderr)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.footprint")
    parser.add_argument("--home", type=Path, help="a sample project; a round is queued in it and cancelled")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for row in measure(open_project(options.home)) if options.home else rows(Path(folder)):
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
