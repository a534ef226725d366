"""Make the rounds that ship with the sample: the four weeks with real trainings, which takes minutes.

python -m workbench.demo.history [--keep DIR]

To run again when the base encoder, the sample or the training changes. Prints the learning curve.
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from trainer.files import put_in_place
from workbench.demo.curve import is_rising, table_of
from workbench.demo.files import history_folder, sample_folder
from workbench.demo.seeding import tell
from workbench.demo.shipped import ship
from workbench.demo.work import Made
from workbench.project import Project
from workbench.rounds import lifecycle
from workbench.worker import scoring_steps
from workbench.worker.scoring import score_missing
from workbench.worker.steps import evaluate, train

MADE_ON = datetime.fromisoformat("2026-01-05T12:00:00+08:00")
"""The demo's day where the rounds are made; nothing but dates depends on it."""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m workbench.demo.history", description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the project in this new folder")
    options = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        project = tell(
            options.keep or Path(folder) / "demo", MADE_ON, Made(train, evaluate, scoring_steps.score, _add)
        )
        _ship(project, history_folder(sample_folder()))
        entries = _entries(project)
        print("\n".join(table_of(entries)))
        project.database.dispose()
    if not is_rising(entries):
        print(
            "The curve does not rise, and the lead's reasons in the story say that it does.", file=sys.stderr
        )
        return 1
    return 0


def _add(project: Project, number: int) -> None:
    score_missing(project, number)


def _ship(project: Project, out: Path) -> None:
    part = out.with_name(f".{out.name}.partial")
    shutil.rmtree(part, ignore_errors=True)
    for number in (entry["number"] for entry in _entries(project)):
        ship(project, number, part)
    put_in_place(part, out)


def _entries(project: Project) -> list[dict[str, Any]]:
    with project.database.read() as session:
        return sorted(lifecycle.history(session), key=lambda entry: int(entry["number"]))


if __name__ == "__main__":
    sys.exit(main())
