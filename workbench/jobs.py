"""The enqueuing side of the durable job queue (DBOS); the worker's side is in `worker/`.

Jobs are stored in the project's database, so a row and its job commit together.

DBOS is imported where it is used: with its PostgreSQL driver it takes longer to load than most commands run, and few
of them enqueue.
"""

from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import Engine, Text, column, inspect, select, table
from sqlalchemy.orm import Session

from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from dbos import DBOSClient, DBOSConfig

# Enqueuer and worker must name the same version, otherwise the job is never run.
APP_VERSION = "1"
QUEUE = "jobs"
FORM = "portable_json"
"""What DBOSPortableJSONSerializer calls itself in the rows."""


class Job(StrEnum):
    """Names of the worker's workflows, each of which takes one number."""

    PREPARE = "prepare"
    ROUND = "round"
    PROMOTE = "promote"
    ADOPT = "adopt"
    ADAPT = "adapt"


def config(engine: Engine) -> "DBOSConfig":
    from dbos import DBOSPortableJSONSerializer  # noqa: PLC0415 - see the module's docstring

    _switch_off_pickle()
    return {
        "name": "workbench",
        # Shared: another SQLite library on the same file would break its locks.
        "system_database_engine": engine,
        "serializer": DBOSPortableJSONSerializer(),  # the default one is pickle
        "executor_id": "worker",
        "application_version": APP_VERSION,
        "log_level": "WARNING",
    }


def refuse_foreign_rows(engine: Engine) -> None:
    """To call before DBOS starts: it reads each row in the form that the row names, and one of them is pickle.

    Raises WorkbenchError for a row that this program has not written. A trigger of the database may write one later,
    so reading pickle is switched off as well.
    """
    _switch_off_pickle()
    tables = inspect(engine)
    for name in tables.get_table_names():
        if any(column["name"].casefold() == "serialization" for column in tables.get_columns(name)):
            _refuse_foreign_rows_of(engine, name)


def _refuse_foreign_rows_of(engine: Engine, name: str) -> None:
    form = column("serialization", Text)
    query = select(form).select_from(table(name)).where(form != FORM).limit(1)
    with engine.connect() as connection:
        foreign = connection.scalar(query)
    if foreign is not None:
        raise WorkbenchError(
            "{file} holds a job in the form {form}, which may run code; this program writes {ours} alone. "
            "Nothing was run. Put back a backup of your own.",
            file=engine.url.database,
            form=repr(foreign),
            ours=FORM,
        )


def _switch_off_pickle() -> None:
    from dbos import _serialization  # noqa: PLC0415 - see the module's docstring

    def refuse(_self: object, _serialized_data: str) -> object:
        raise WorkbenchError("A job in the form of pickle was not read, as it may run code.")

    _serialization.DefaultSerializer.deserialize = refuse  # type: ignore[method-assign,assignment]


def create_tables(engine: Engine) -> None:
    """Raises WorkbenchError if the tables are there, with rows that this program has not written."""
    from dbos import DBOS  # noqa: PLC0415 - see the module's docstring

    refuse_foreign_rows(engine)
    DBOS(config=config(engine))
    DBOS.launch()  # creates them
    DBOS.destroy()


def is_waiting(engine: Engine, number: int) -> bool:
    names = _waiting(engine)
    return any(name == f"round-{number}" or name.startswith(f"promote-{number}-") for name in names)


def is_adaptation_waiting(engine: Engine, number: int) -> bool:
    return f"adapt-{number}" in _waiting(engine)


def _waiting(engine: Engine) -> list[str]:
    # Without what they took and gave: a row of a received project may be in a form that runs code.
    jobs = _client(engine).list_workflows(status=["PENDING", "ENQUEUED"], load_input=False, load_output=False)
    return [job.workflow_id for job in jobs]


def enqueue(engine: Engine, session: Session, job: Job, number: int, *, job_id: str) -> None:
    """Add a job in the caller's transaction on that engine, once per `job_id`."""
    _client(engine).enqueue_in_transaction(
        session,
        {"queue_name": QUEUE, "workflow_name": job, "app_version": APP_VERSION, "workflow_id": job_id},
        number,
    )


def withdraw(engine: Engine) -> None:
    """Remove the jobs that wait: their work has been done by the process that calls this, in place of a worker."""
    client = _client(engine)
    waiting = client.list_workflows(status=["ENQUEUED"], load_input=False, load_output=False)
    client.delete_workflows([job.workflow_id for job in waiting])


def _client(engine: Engine) -> "DBOSClient":
    from dbos import DBOSClient, DBOSPortableJSONSerializer  # noqa: PLC0415 - see the module's docstring

    _switch_off_pickle()
    # Lazy: the check on construction would wait for the write lock that the caller of `enqueue` holds.
    return DBOSClient(system_database_engine=engine, serializer=DBOSPortableJSONSerializer(), lazy=True)
