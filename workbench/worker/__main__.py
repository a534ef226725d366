"""The worker: prepares imports, runs rounds, promotes. One a project, at low priority.

    python -m workbench.worker --home DIR

Rounds are durable workflows (DBOS): a worker killed in a step does that step again when it starts
anew, and none before it. Each time, the step takes a new attempt number; a result is accepted only
while the round still carries that number, so a worker that wakes up late changes nothing.
"""

import argparse
import fcntl
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import IO

from dbos import DBOS
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from db.tables import Import, Post, Round
from trainer.device import leave_a_core
from trainer.errors import TrainerError
from trainer.scoring.scorer import StoppedError
from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.imports import search_index
from workbench.jobs import Job
from workbench.locks import WORK, hold
from workbench.project import Project, open_project
from workbench.rounds import lifecycle
from workbench.rounds.champion import champion_number
from workbench.scores.round_scores import last_scored
from workbench.worker.attempts import MOST_STEP_ATTEMPTS, SupersededError
from workbench.worker.child import open_log
from workbench.worker.explaining import Explainer
from workbench.worker.scoring import explain_with, old_cold_queue
from workbench.worker.steps import (
    GO,
    Step,
    admit,
    due_file,
    evaluate,
    export,
    judge,
    prepare_import,
    promote,
    score,
    train,
)

LOCK_SECONDS = 1.0
COLD_LOOK_SECONDS = 20.0


def serve(project: Project, stop: threading.Event) -> None:
    """Take jobs until told to stop.

    Raises WorkbenchError when this project has a worker already.
    """
    at_work = threading.Event()
    with _only_worker(project):
        _register(project, at_work)
        DBOS(config=jobs.config(project.database.engine))
        DBOS.launch()
        DBOS.register_queue(jobs.QUEUE, global_concurrency=1, polling_interval_sec=0.5)
        _take_up(project)
        explainer = Explainer(project, explain_with)
        threading.Thread(target=explainer.keep_explaining, args=(stop, at_work), daemon=True).start()
        print("The worker is ready.", flush=True)
        while not stop.wait(COLD_LOOK_SECONDS):
            _refresh_cold_queue(project)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.worker", description="Run a project's worker.")
    parser.add_argument("--home", type=Path, default=Path())
    parser.add_argument("--watch-stdin", action="store_true", help="end when standard input closes")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    leave_a_core()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.watch_stdin:
        threading.Thread(target=_stop_with_stdin, args=(stop,), daemon=True).start()
    try:
        project = open_project(options.home)
        serve(project, stop)
    except (WorkbenchError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _forgive_stop(project)
    # At once, whatever the step at work is doing: its child dies with the pipe, it resumes next time.
    os._exit(0)


def _register(project: Project, at_work: threading.Event) -> None:
    """Name the workflows. Steps are looked up when they run, in the order they are written here.

    `at_work` is set while one runs: explanations wait.
    """

    def round_job(number: int) -> str:
        result = _run_steps(project, number, (export, train, evaluate, judge))
        return _run_steps(project, number, (score, promote)) if result == GO else result

    def adopt_job(number: int) -> str:
        result = _run_steps(project, number, (admit, evaluate, judge))
        return _run_steps(project, number, (score, promote)) if result == GO else result

    def promote_job(number: int) -> str:
        return _run_steps(project, number, (score, promote))

    def prepare_job(number: int) -> str:
        return DBOS.run_step({"name": "prepare"}, _prepare_guarded, project, number)

    # A step of a round counts its own attempts; a preparation that kills the worker is given up after three.
    DBOS.workflow(name=Job.ROUND, max_recovery_attempts=None)(_marking(project, at_work, round_job))
    DBOS.workflow(name=Job.ADOPT, max_recovery_attempts=None)(_marking(project, at_work, adopt_job))
    DBOS.workflow(name=Job.PROMOTE, max_recovery_attempts=None)(_marking(project, at_work, promote_job))
    DBOS.workflow(name=Job.PREPARE, max_recovery_attempts=MOST_STEP_ATTEMPTS)(
        _marking(project, at_work, prepare_job)
    )


def _marking(project: Project, at_work: threading.Event, job: Callable[[int], str]) -> Callable[[int], str]:
    """Set while the job runs, and the lock held; there is one at a time."""

    @wraps(job)
    def marked(number: int) -> str:
        with hold(project.data / WORK, waits=True):
            at_work.set()
            try:
                return job(number)
            finally:
                at_work.clear()

    return marked


def _refresh_cold_queue(project: Project) -> None:
    """Before the first round, labels are worth a new order of the queue every now and then."""
    with project.database.read() as session:
        built_at = old_cold_queue(session)
    if built_at is not None:
        with project.database.write() as session:
            again = f"cold-{built_at.isoformat()}"  # one job for each time the queue was filled
            jobs.enqueue(project.database.engine, session, Job.PREPARE, 0, job_id=again)


def _take_up(project: Project) -> None:
    """Ask again for what an earlier worker gave up: preparations that failed, rounds without a job."""
    with project.database.write() as session:
        if _is_work_left(session, project):
            again = f"prepare-again-{time.time_ns()}"
            jobs.enqueue(project.database.engine, session, Job.PREPARE, 0, job_id=again)
        row = lifecycle.running(session)
        if row is not None and not jobs.is_waiting(project.database.engine, row.number):
            lifecycle.fail(
                session, project, row.number, row.attempt, "The worker gave up on this round. See the log."
            )


def _is_work_left(session: Session, project: Project) -> bool:
    """Posts wait to be grouped, or grouped ones to be found by search or scored by the adapter in use."""
    if session.scalar(select(Import.id).where(Import.state == "stored").limit(1)) is not None:
        return True
    if search_index.is_behind(session) or due_file(project).exists():
        return True
    champion = champion_number(session)
    newest = session.scalar(select(func.max(Post.id)).where(Post.group_id.is_not(None)))
    if champion is None or newest is None:
        return False
    return last_scored(project.round_folder(champion) / "scores") < newest


def _forgive_stop(project: Project) -> None:
    """An orderly stop is no crash: the step at work may start again without it counting."""
    with project.database.write() as session:
        session.execute(
            update(Round)
            .where(Round.is_running, Round.step_attempts > 0)
            .values(step_attempts=Round.step_attempts - 1)
        )


def _prepare_guarded(project: Project, number: int) -> str:
    """Prepare; what goes wrong is written to the imports that wait, and tried again by the next worker."""
    try:
        return prepare_import(project, number)
    except Exception as error:
        logging.exception("preparing failed")
        with project.database.write() as session:
            waiting = update(Import).where(Import.state == "stored")
            message = str(error) if isinstance(error, WorkbenchError) else f"{type(error).__name__}: {error}"
            session.execute(waiting.values(failure=message))
        return "failed"


def _run_steps(project: Project, number: int, steps: Sequence[Step]) -> str:
    for step in steps:
        result = DBOS.run_step({"name": step.__name__}, _guarded, project, number, step)
        if result != GO:
            return result
    return GO


def _guarded(project: Project, number: int, step: Step) -> str:
    """Run a step; whatever goes wrong in it ends the round with one sentence, and the log has the rest."""
    try:
        return step(project, number)
    except (SupersededError, StoppedError):
        return "superseded"
    except Exception as error:
        expected = isinstance(error, WorkbenchError | TrainerError)
        sentence = str(error) if expected else f"{step.__name__} failed: {type(error).__name__}: {error}"
        with project.database.write() as session:
            row = session.get_one(Round, number)
            lifecycle.fail(session, project, number, row.attempt, sentence)
        # Last, and allowed to fail: the disk may be what is full.
        with suppress(OSError), open_log(project, number, "errors") as log:
            log.write(f"{sentence}\n" if expected else traceback.format_exc())
        return "failed"


@contextmanager
def _only_worker(project: Project) -> Iterator[None]:
    with (project.data / "worker.lock").open("w") as lock:
        deadline = time.monotonic() + LOCK_SECONDS
        while not _is_locked(lock):
            if time.monotonic() > deadline:
                raise WorkbenchError("A worker is already running in {home}.", home=project.home)
            time.sleep(LOCK_SECONDS / 20)
        yield


def _is_locked(lock: IO[str]) -> bool:
    """Whoever looks if a worker is running holds the lock for a moment, so one refusal says little."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop_with_stdin(stop: threading.Event) -> None:
    # Not through sys.stdin: its lock, held by a daemon thread, is fatal when the interpreter shuts down.
    while os.read(0, 4096):
        pass
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
