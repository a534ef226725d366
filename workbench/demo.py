"""The sample project: real posts, a few hundred labels and one trained round."""

import csv
import hashlib
import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import select

from db.queries.rounds import rounds_by_number
from db.tables import Import, Post, PostGroup, Round
from trainer.messages import Message
from trainer.running.children import Child
from workbench import accounts, services
from workbench.errors import WorkbenchError
from workbench.imports.intake import import_rows
from workbench.imports.tsv import open_tsv
from workbench.labelling.files.mapping import parse_map
from workbench.labelling.label_files import import_labels
from workbench.project import Project, init_project, is_project, open_project
from workbench.rounds import lifecycle

POOL_LABELS_GIVEN = {"normal": 120, "suspicious": 100, "violation": 100}
"""Shares of labels as after uncertainty sampling. The other posts stay unlabelled, to try the app with."""

HELD_OUT_LABELS_GIVEN = {"validation": 150, "test": 120}
"""With 150 validation posts or more a round needs no folds for calibration, and takes less time."""

REASON = "演示用：标注还少，模型尚不可靠 (for the demo: too few labels for a good model)"
"""As a lead writes it; the reason of a person is shown as it is, in any language."""

POLL_SECONDS = 0.2


def seed(home: Path, *, say: Callable[[str], None]) -> Project:
    """Create the sample project in `home`, resume an interrupted seeding, or open the existing project.

    Raises WorkbenchError if its round fails.
    """
    project = open_project(home) if is_project(home) else init_project(home)
    with project.database.read() as session:
        if session.scalar(rounds_by_number().limit(1)) is not None:
            return project
    # The worker takes seconds to start, so it starts while the posts are imported.
    with _worker(project) as worker:
        say("Importing the sample posts ...")
        lead = accounts.command_line(project)
        with open_tsv(sample_folder() / "posts.tsv") as source:
            import_rows(project, lead, source)
        _wait(worker, lambda: _is_prepared(project))
        _give_labels(project, lead)
        say("Training the first round ...")
        number = lifecycle.start(project, lead, is_quick=True, notes="sample")
        row = _watch(project, number, worker, say)
        if row.state == "awaiting":
            # The gate is not loosened for the sample: the lead decides, with a reason in the history.
            lifecycle.promote(project, lead, number, REASON, expected_state="awaiting")
            row = _watch(project, number, worker, say)
        _refuse_unused(row)
    return project


def sample_folder() -> Path:
    """In the source tree, or in the wheel. Raises WorkbenchError if it is in neither."""
    package = Path(__file__).resolve().parent
    for folder in (package.parent / "data" / "sample", package / "_sample"):
        if (folder / "posts.tsv").is_file():
            return folder
    raise WorkbenchError("The sample posts are not installed. Reinstall the package.")


@contextmanager
def _worker(project: Project) -> Iterator[Child]:
    # No annotator uses the machine yet, so torch gets every core. Waiting threads sleep instead of spinning, which on a
    # busy machine makes two threads many times slower than one.
    every_core = {"OMP_NUM_THREADS": str(os.cpu_count() or 1), "OMP_WAIT_POLICY": "PASSIVE"}
    with services.launching(project) as is_first:
        if not is_first:
            raise WorkbenchError("A worker is already running in {home}.", home=project.home)
        with services.worker(project, every_core) as worker:
            yield worker


def _give_labels(project: Project, lead: accounts.Account) -> None:
    """Imports the true labels of a few hundred posts, the same ones in every project."""
    with (sample_folder() / "labels.tsv").open(encoding="utf-8", newline="") as file:
        labels = {row["id"]: row["label"] for row in csv.DictReader(file, delimiter="\t")}
    left = Counter(POOL_LABELS_GIVEN) + Counter(HELD_OUT_LABELS_GIVEN)
    lines = ["id\tlabel\n"]
    for external_id, split in _in_fixed_order(project):
        kind = labels[external_id] if split == "pool" else split
        if left[kind] > 0:
            left[kind] -= 1
            lines.append(f"{external_id}\t{labels[external_id]}\n")
    with tempfile.TemporaryDirectory() as folder:
        chosen = Path(folder) / "labels.tsv"
        chosen.write_text("".join(lines), encoding="utf-8")
        import_labels(project, lead, chosen, mapping=parse_map(None))


def _in_fixed_order(project: Project) -> list[tuple[str, str]]:
    """External id and split of every post, in a reproducible pseudo-random order."""
    query = select(Post.external_id, PostGroup.split).join(PostGroup, PostGroup.id == Post.group_id)
    with project.database.read() as session:
        rows = [(row.external_id, row.split) for row in session.execute(query)]
    return sorted(rows, key=lambda row: hashlib.sha256(row[0].encode()).digest())


def _is_prepared(project: Project) -> bool:
    with project.database.read() as session:
        return session.scalar(select(Import.id).where(Import.state == "stored").limit(1)) is None


def _watch(project: Project, number: int, worker: Child, say: Callable[[str], None]) -> Round:
    """The round, once it has ended or awaits a decision."""
    last_state = "queued"

    def is_settled() -> bool:
        nonlocal last_state
        with project.database.read() as session:
            state = lifecycle.find(session, number).state
        if state not in {last_state, *lifecycle.SETTLED}:
            last_state = state
            say(f"  {last_state} ...")
        return state in lifecycle.SETTLED

    _wait(worker, is_settled)
    with project.database.read() as session:
        return lifecycle.find(session, number)


def _refuse_unused(row: Round) -> None:
    if row.state != "promoted":
        raise WorkbenchError(
            "The sample round ended as {state}: {reason}",
            state=row.state,
            reason=Message.from_dict(row.failure) if row.failure else None,
        )


def _wait(worker: Child, is_done: Callable[[], bool]) -> None:
    while not is_done():
        if worker.poll() is not None:
            raise WorkbenchError("The worker ended by itself; the lines above say why.")
        time.sleep(POLL_SECONDS)
