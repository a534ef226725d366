"""Rows of the job queue in a form that runs code: a received project may hold them, and nothing may read them."""

import base64
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

from db.tables import LabelSet
from tests.workbench.working import TIMEOUT_SECONDS, fake_worker_of
from workbench import jobs
from workbench.errors import WorkbenchError
from workbench.project import Project, open_project


class Touching:
    """Touches a file when it is read as pickle."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self._file,)


@pytest.fixture
def touched(tmp_path: Path) -> Path:
    return tmp_path / "code-was-run"


def evil(touched: Path) -> str:
    return base64.b64encode(pickle.dumps(Touching(touched))).decode()


def add_pickle(engine: Engine, touched: Path) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO workflow_status (workflow_uuid, status, name, executor_id, application_version, queue_name,"
            " inputs, serialization) VALUES ('evil', 'PENDING', 'prepare', 'worker', '1', 'jobs', ?, 'py_pickle')",
            (evil(touched),),
        )


def test_the_row_of_this_attack_does_run_code_where_it_is_read(touched: Path) -> None:
    pickle.loads(base64.b64decode(evil(touched)))  # noqa: S301 - the attack itself
    assert touched.exists()


def test_a_worker_refuses_a_project_with_a_pickle_before_it_reads_it(project: Project, touched: Path) -> None:
    add_pickle(project.database.engine, touched)
    result = subprocess.run(
        fake_worker_of(project),
        check=False,
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert result.returncode == 1
    assert "holds a job in the form 'py_pickle'" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not touched.exists()


def test_an_init_that_is_completed_launches_nothing_either(project: Project, touched: Path) -> None:
    add_pickle(project.database.engine, touched)
    with project.database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM label")
        session.delete(session.get_one(LabelSet, 1))
    with pytest.raises(WorkbenchError, match="py_pickle"):
        open_project(project.home)
    assert not touched.exists()


def test_pages_and_commands_that_look_for_a_waiting_job_do_not_read_it(
    project: Project, touched: Path
) -> None:
    add_pickle(project.database.engine, touched)
    assert not jobs.is_waiting(project.database.engine, 1)
    assert not touched.exists()


def test_a_form_in_any_table_is_refused_and_our_own_rows_are_not(project: Project) -> None:
    engine = project.database.engine
    with project.database.write() as session:
        jobs.enqueue(engine, session, jobs.Job.PREPARE, 0, job_id="ours")
    jobs.refuse_foreign_rows(engine)
    names = [
        name
        for name in inspect(engine).get_table_names()
        if any(column["name"] == "serialization" for column in inspect(engine).get_columns(name))
    ]
    assert {"workflow_status", "operation_outputs", "notifications"} <= set(names)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO operation_outputs (workflow_uuid, function_id, function_name, output, serialization)"
            " VALUES ('ours', 1, 'step', 'x', 'custom')"
        )
    with pytest.raises(WorkbenchError, match="'custom'"):
        jobs.refuse_foreign_rows(engine)


def test_a_column_in_other_letters_hides_no_form(project: Project, touched: Path) -> None:
    """SQLite reads a column by its name in any case."""
    add_pickle(project.database.engine, touched)
    with project.database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE workflow_status RENAME COLUMN serialization TO SERIALIZATION")
    with pytest.raises(WorkbenchError, match="py_pickle"):
        jobs.refuse_foreign_rows(project.database.engine)


@pytest.mark.parametrize("form", [None, "portable_json"])
def test_a_pickle_without_its_form_or_in_ours_is_read_as_json(
    project: Project, touched: Path, form: str | None
) -> None:
    from dbos._serialization import deserialize_args  # noqa: PLC0415 - slow to load

    ours = jobs.config(project.database.engine)["serializer"]
    with pytest.raises(ValueError, match="Expecting value"):
        deserialize_args(evil(touched), form, ours)
    assert not touched.exists()


def test_a_pickle_that_a_trigger_writes_after_the_start_is_not_read(project: Project, touched: Path) -> None:
    from dbos._serialization import deserialize_value  # noqa: PLC0415 - slow to load

    jobs.refuse_foreign_rows(project.database.engine)
    ours = jobs.config(project.database.engine)["serializer"]
    with pytest.raises(WorkbenchError, match="not read"):
        deserialize_value(evil(touched), "py_pickle", ours)
    assert not touched.exists()


def test_withdrawn_jobs_are_gone(project: Project) -> None:
    with project.database.write() as session:
        jobs.enqueue(project.database.engine, session, jobs.Job.ROUND, 1, job_id="round-1")
    assert jobs.is_waiting(project.database.engine, 1)
    jobs.withdraw(project.database.engine)
    assert not jobs.is_waiting(project.database.engine, 1)
