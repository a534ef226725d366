"""The worker process: prepares imports, runs rounds and promotes. One per project, at low priority.

    python -m workbench.worker --home DIR

Rounds are durable workflows (DBOS): after a crash the worker repeats the interrupted step, not the ones before it.
Each start of a step increments the attempt number of the round, and a result is committed only while the round still has
that number, so a stale process changes nothing.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path

from dbos import DBOS
from sqlalchemy import update

from db.tables import Adaptation, Round
from trainer.messages import Message
from trainer.running.children import WATCH_STDIN, watch_stdin
from trainer.running.terminal import printable
from workbench import jobs
from workbench.adapting import lifecycle as adapting
from workbench.auditing.settings_in_force import record_settings
from workbench.errors import WorkbenchError
from workbench.imports.retention import forget_old_rejects
from workbench.jobs import Job
from workbench.locks import WORK, WORKER, hold
from workbench.project import Project, open_project
from workbench.queue.ordering import QuickOrderer
from workbench.rounds import lifecycle
from workbench.rounds.automatic import rules
from workbench.worker.adapting import adapt_guarded, sweep
from workbench.worker.attempts import GO, MOST_STEP_ATTEMPTS
from workbench.worker.due import is_work_left
from workbench.worker.explaining import Explainer
from workbench.worker.failures import guarded, prepare_guarded
from workbench.worker.steps import Steps
from workbench.worker.torch_child import TorchChild

LOCK_SECONDS = 1.0
"""Retried for this long, because a page that checks for a worker holds the lock briefly."""
LOOK_SECONDS = 20.0
"""Interval of the checks for a round that is due, old unreadable rows and an idle torch process."""

StepsOf = Callable[[TorchChild], Steps]


def serve(project: Project, stop: threading.Event, steps_of: StepsOf) -> None:
    """Raises WorkbenchError if this project already has a worker, or jobs in another form than ours."""
    at_work = threading.Event()
    another = WorkbenchError("A worker is already running in {home}.", home=project.home)
    with hold(project.data / WORKER, seconds=LOCK_SECONDS, refusal=another):
        record_settings(project, "worker")
        child = TorchChild(project.home)
        jobs.refuse_foreign_rows(project.database.engine)
        _register(project, at_work, steps_of(child))
        DBOS(config=jobs.config(project.database.engine))
        DBOS.launch()
        DBOS.register_queue(jobs.QUEUE, global_concurrency=1, polling_interval_sec=0.5)
        _recover_work(project)
        explainer = Explainer(project, lambda folder: partial(child.explain, folder))
        orderer = QuickOrderer(project, child.order_queue)
        for work in (explainer.keep_explaining, orderer.keep_ordering):
            threading.Thread(target=work, args=(stop, at_work), daemon=True).start()
        print("The worker is ready.", flush=True)
        while not stop.wait(LOOK_SECONDS):
            _look(project, child)


def main(arguments: Sequence[str] | None = None, *, steps_of: StepsOf = Steps.of) -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.worker", description="Run a project's worker.")
    parser.add_argument("--home", type=Path, default=Path())
    parser.add_argument(WATCH_STDIN, action="store_true", help="end when standard input closes")
    options = parser.parse_args(arguments)
    os.umask(0o077)  # posts and names are for this user alone
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if options.watch_stdin:
        watch_stdin(stop.set)
    try:
        project = open_project(options.home)
        serve(project, stop, steps_of)
    except (WorkbenchError, OSError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return 1
    _uncount_attempt(project)
    # Does not wait for the step at work: its child ends with the pipe, and the step is resumed at the next start.
    os._exit(0)


def _register(project: Project, at_work: threading.Event, steps: Steps) -> None:
    """Register the workflows. Each sets `at_work` while it runs, which pauses explanations."""

    def run(number: int, *names: str) -> str:
        for name in names:
            result = DBOS.run_step({"name": name}, guarded, project, number, name, getattr(steps, name))
            if result != GO:
                return str(result)
        return GO

    def round_job(number: int) -> str:
        return run(number, "export", "train", "evaluate", "judge", "score", "weigh", "promote")

    def adopt_job(number: int) -> str:
        return run(number, "admit", "evaluate", "judge", "score", "weigh", "promote")

    def promote_job(number: int) -> str:
        """A lead's decision: the labels that the round gives are not weighed again."""
        return run(number, "score", "promote")

    def prepare_job(number: int) -> str:
        return DBOS.run_step({"name": "prepare"}, prepare_guarded, project, number, steps.prepare)

    def adapt_job(number: int) -> str:
        return DBOS.run_step({"name": "adapt"}, adapt_guarded, project, number, steps.adapt)

    # Rounds and adaptations count their own attempts; a preparation has no counter, so DBOS limits its recoveries.
    DBOS.workflow(name=Job.ROUND, max_recovery_attempts=None)(_marking(project, at_work, round_job))
    DBOS.workflow(name=Job.ADOPT, max_recovery_attempts=None)(_marking(project, at_work, adopt_job))
    DBOS.workflow(name=Job.PROMOTE, max_recovery_attempts=None)(_marking(project, at_work, promote_job))
    DBOS.workflow(name=Job.ADAPT, max_recovery_attempts=None)(_marking(project, at_work, adapt_job))
    DBOS.workflow(name=Job.PREPARE, max_recovery_attempts=MOST_STEP_ATTEMPTS)(
        _marking(project, at_work, prepare_job)
    )


def _marking(project: Project, at_work: threading.Event, job: Callable[[int], str]) -> Callable[[int], str]:
    """Sets `at_work` and holds the lock while the job runs; jobs run one at a time."""

    @wraps(job)
    def marked(number: int) -> str:
        with hold(project.data / WORK):
            at_work.set()
            try:
                return job(number)
            finally:
                at_work.clear()

    return marked


def _look(project: Project, child: TorchChild) -> None:
    rules.start_due(project)
    forget_old_rejects(project)
    child.end_if_idle()


def _recover_work(project: Project) -> None:
    """Queue a preparation if work is left, and fail a running round or adaptation that has no job."""
    with project.database.write() as session:
        if is_work_left(session, project):
            again = f"prepare-again-{time.time_ns()}"
            jobs.enqueue(project.database.engine, session, Job.PREPARE, 0, job_id=again)
        row = lifecycle.running(session)
        if row is not None and not jobs.is_waiting(project.database.engine, row.number):
            gave_up = Message("The worker gave up on this round. See the log.")
            lifecycle.fail(session, project, row.number, row.attempt, gave_up)
        adaptation = adapting.running(session)
        if adaptation is not None and not jobs.is_adaptation_waiting(
            project.database.engine, adaptation.number
        ):
            gave_up = Message("The worker gave up on adapting the encoder. See the log.")
            adapting.fail(session, project, adaptation.number, adaptation.attempt, gave_up)
    sweep(project)


def _uncount_attempt(project: Project) -> None:
    """An orderly stop is not a crash: it does not count towards MOST_STEP_ATTEMPTS."""
    with project.database.write() as session:
        session.execute(
            update(Round)
            .where(Round.is_running, Round.step_attempts > 0)
            .values(step_attempts=Round.step_attempts - 1)
        )
        session.execute(
            update(Adaptation)
            .where(Adaptation.is_running, Adaptation.step_attempts > 0)
            .values(step_attempts=Adaptation.step_attempts - 1)
        )


if __name__ == "__main__":
    sys.exit(main())
