"""A round by real workers on a tiny real encoder: killed in training and in scoring, resumed, promoted."""

import json
import signal
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from db.tables import Annotation, Post, PostGroup, Round
from tests.workbench.making import POSTS
from tests.workbench.working import (
    assert_whole,
    round_of,
    running,
    torch_children,
    trainers,
    wait_for_state,
    wait_until,
    worker_of,
)
from workbench.accounts import Account
from workbench.project import Project
from workbench.review import doubts
from workbench.rounds import lifecycle


def kill(worker: "subprocess.Popen[bytes]") -> None:
    worker.send_signal(signal.SIGKILL)
    worker.wait()


@pytest.mark.ci
def test_a_round_killed_in_training_and_in_scoring_is_finished_by_the_next_workers(
    labelled: Project, boss: Account
) -> None:
    """A worker loads no torch itself; the processes that do end with it."""
    number = lifecycle.start(labelled, boss, is_quick=True)
    with running(worker_of(labelled)) as process:
        wait_until(
            lifecycle.progress_file(labelled, number, "training").exists, "the first steps of training"
        )
        kill(process)
    wait_until(lambda: not trainers(labelled), "the training process to end")
    assert round_of(labelled, number).state == "training"
    with running(worker_of(labelled)) as process:
        # Its test posts are too few for the gate.
        assert wait_for_state(labelled, number, *lifecycle.SETTLED).state == "awaiting"
        lifecycle.promote(labelled, boss, number)
        wait_until(lambda: torch_children(labelled) != [], "the scoring")
        loaded = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
        assert "libtorch" not in loaded
        assert "sklearn" not in loaded
        kill(process)
    wait_until(lambda: torch_children(labelled) == [], "the scoring process to end")
    assert not lifecycle.is_worker_running(labelled)
    assert round_of(labelled, number).state == "scoring"
    with running(worker_of(labelled)):
        row = wait_for_state(labelled, number, *lifecycle.SETTLED)
    assert (row.state, row.failure) == ("promoted", None)
    assert_whole(labelled)
    receipt = json.loads((labelled.annotations / "receipt.json").read_text(encoding="utf-8"))
    with labelled.database.read() as session:
        labelled_by_split = dict(
            session.execute(
                select(PostGroup.split, func.count())
                .join(Post, Post.group_id == PostGroup.id)
                .join(Annotation, Annotation.post_id == Post.id)
                .group_by(PostGroup.split)
            ).all()
        )
        facts = lifecycle.describe(session, session.get_one(Round, number))
    for split, file in (("pool", "train"), ("validation", "validation"), ("test", "test")):
        lines = (labelled.annotations / f"{file}.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
        assert len(lines) == receipt["files"][f"{file}.jsonl"]["rows"] == labelled_by_split[split]
        assert list(json.loads(lines[0]))[:2] == ["text", "label"]
    assert facts["train"]["n"] == labelled_by_split["pool"]
    assert pq.read_table(labelled.round_folder(1) / doubts.FILE).num_rows == labelled_by_split["pool"]
    assert facts["scored"]["n"] == POSTS
    assert facts["metrics"]["n"] == labelled_by_split["test"]
    assert facts["metrics"]["linear_macro_f1"] is not None
