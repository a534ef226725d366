"""The enqueuing side of the durable job queue (DBOS); the worker's side is in `worker/`.

Jobs are stored in the project's database, so a row and its job commit together.

DBOS is imported where it is used: with its PostgreSQL driver it takes longer to load than most commands run, and few
of them enqueue.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Engine
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    from dbos import DBOSClient, DBOSConfig

# Enqueuer and worker must name the same version, otherwise the job is never run.
APP_VERSION = "1"
QUEUE = "jobs"


class Job(StrEnum):
    """Names of the worker's workflows, each of which takes one number."""

    PREPARE = "prepare"
    ROUND = "round"
    PROMOTE = "promote"
    ADOPT = "adopt"


def config(engine: Engine) -> "DBOSConfig":
    from dbos import DBOSPortableJSONSerializer  # noqa: PLC0415 - see the module's docstring

    return {
        "name": "workbench",
        # Shared: another SQLite library on the same file would break its locks.
        "system_database_engine": engine,
        "serializer": DBOSPortableJSONSerializer(),  # the default one is pickle
        "executor_id": "worker",
        "application_version": APP_VERSION,
        "log_level": "WARNING",
    }


def create_tables(engine: Engine) -> None:
    from dbos import DBOS  # noqa: PLC0415 - see the module's docstring

    DBOS(config=config(engine))
    DBOS.launch()  # creates them
    DBOS.destroy()


def is_waiting(engine: Engine, number: int) -> bool:
    jobs = _client(engine).list_workflows(status=["PENDING", "ENQUEUED"])
    return any(
        job.workflow_id in {f"round-{number}"} or job.workflow_id.startswith(f"promote-{number}-")
        for job in jobs
    )


def enqueue(engine: Engine, session: Session, job: Job, number: int, *, job_id: str) -> None:
    """Add a job in the caller's transaction on that engine, once per `job_id`."""
    _client(engine).enqueue_in_transaction(
        session,
        {"queue_name": QUEUE, "workflow_name": job, "app_version": APP_VERSION, "workflow_id": job_id},
        number,
    )


def _client(engine: Engine) -> "DBOSClient":
    from dbos import DBOSClient, DBOSPortableJSONSerializer  # noqa: PLC0415 - see the module's docstring

    # Lazy: the check on construction would wait for the write lock that the caller of `enqueue` holds.
    return DBOSClient(system_database_engine=engine, serializer=DBOSPortableJSONSerializer(), lazy=True)
