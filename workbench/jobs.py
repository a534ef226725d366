"""The durable job queue (DBOS), seen from the side that enqueues.

Jobs live in the project's own database, so a row and the job that works on it commit together or
not at all. The worker's side is in `worker/`.

DBOS is imported where it is used: with its driver for PostgreSQL it takes longer to load than most commands take,
and few of them enqueue.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from dbos import DBOSClient, DBOSConfig

# Enqueuer and worker must name the same version, or the job waits for ever.
APP_VERSION = "1"
QUEUE = "jobs"


class Job(StrEnum):
    """The workflows the worker knows, each taking one number."""

    PREPARE = "prepare"
    ROUND = "round"
    PROMOTE = "promote"
    ADOPT = "adopt"


def config(engine: Engine) -> "DBOSConfig":
    """DBOS on the project's own engine: a second copy of SQLite on one file would break its locks."""
    from dbos import DBOSPortableJSONSerializer  # noqa: PLC0415 - see the module's docstring

    return {
        "name": "workbench",
        "system_database_engine": engine,
        "serializer": DBOSPortableJSONSerializer(),  # the default one is pickle
        "executor_id": "worker",
        "application_version": APP_VERSION,
        "log_level": "WARNING",
    }


def create_tables(engine: Engine) -> None:
    """Make the queue's tables, which DBOS does when it is launched."""
    from dbos import DBOS  # noqa: PLC0415 - see the module's docstring

    DBOS(config=config(engine))
    DBOS.launch()
    DBOS.destroy()


def is_waiting(engine: Engine, number: int) -> bool:
    """Whether a round still has a job that is queued or at work."""
    jobs = _client(engine).list_workflows(status=["PENDING", "ENQUEUED"])
    return any(
        job.workflow_id in {f"round-{number}"} or job.workflow_id.startswith(f"promote-{number}-")
        for job in jobs
    )


def enqueue(engine: Engine, session: Session, job: Job, number: int, *, job_id: str) -> None:
    """Add a job in the caller's transaction on that engine. The same `job_id` is added once."""
    _client(engine).enqueue_in_transaction(
        session,
        {"queue_name": QUEUE, "workflow_name": job, "app_version": APP_VERSION, "workflow_id": job_id},
        number,
    )


def _client(engine: Engine) -> "DBOSClient":
    from dbos import DBOSClient, DBOSPortableJSONSerializer  # noqa: PLC0415 - see the module's docstring

    # Lazy: the check on construction would wait for the very lock that the caller of `enqueue` holds.
    return DBOSClient(system_database_engine=engine, serializer=DBOSPortableJSONSerializer(), lazy=True)
