"""The list of commands equals the modules that define them, and a command imports only what it needs."""

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from typer.core import TyperGroup
from typer.main import get_group

from workbench import cli
from workbench.scores.round_scores import RoundScores, Scores

HEAVY = {
    "dbos",
    "psycopg",
    "alembic",
    "pandas",
    "datasets",
    "datasketch",
    "scipy",
    "sklearn",
    "torch",
    "transformers",
}
HEAVY |= {"streamlit"}


def loaded_after(statement: str) -> set[str]:
    command = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_the_command_line_loads_nothing_heavy() -> None:
    assert loaded_after("import workbench.cli") & (HEAVY | {"numpy", "pyarrow"}) == set()


def test_commands_load_nothing_that_only_the_worker_needs() -> None:
    """Except `purge`, which computes near-copies."""
    modules = sorted({command.module for command in cli.COMMANDS.values()} - {"purging"})
    together = "import " + ", ".join(f"workbench.commands.{module}" for module in modules)
    assert loaded_after(together) & HEAVY == set()


def test_opening_a_project_loads_no_migrations_and_no_job_queue(blank_home: Path) -> None:
    opening = f"from pathlib import Path; from workbench.project import open_project; open_project(Path({str(blank_home)!r}))"
    assert loaded_after(opening) & HEAVY == set()


def test_reading_scores_loads_no_pandas(tmp_path: Path) -> None:
    """`workbench status` reads scores; PyArrow imports pandas for many of its conversions."""
    RoundScores(tmp_path).append(Scores(np.arange(1, 4), np.full((3, 3), 1 / 3, np.float32)))
    statement = f"""
from pathlib import Path
from workbench.scores.round_scores import RoundScores
assert len(RoundScores(Path({str(tmp_path)!r})).read_first(9).post_ids) == 3
"""
    assert loaded_after(statement) & HEAVY == set()


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_list_says_what_the_command_says_of_itself(name: str) -> None:
    assert cli.load(name).help == cli.COMMANDS[name].summary


def test_every_command_is_in_the_list() -> None:
    modules = {command.module for command in cli.COMMANDS.values()}
    defined: set[str] = set()
    for module in modules:
        defined |= set(get_group(import_module(f"workbench.commands.{module}").commands).commands)
    assert defined == set(cli.COMMANDS)
    folder = Path(cli.__file__).with_name("commands")
    paths = (
        path.relative_to(folder).with_suffix("") for path in folder.rglob("*.py") if path.stem != "__init__"
    )
    files = {".".join(path.parts) for path in paths}
    commands = {file for file in files if not file.startswith("wording.")}
    assert commands - {"progress", "terminal", "training.waiting"} == modules


def test_groups_of_commands_stay_groups() -> None:
    assert isinstance(cli.load("round"), TyperGroup)
    assert isinstance(cli.load("policy"), TyperGroup)
