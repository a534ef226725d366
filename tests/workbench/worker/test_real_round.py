"""A round by the real worker on a tiny real encoder: killed in training, resumed by the next worker, promoted."""

import json
import signal

import pyarrow.parquet as pq
from sqlalchemy import func, select

from db.tables import Annotation, Post, PostGroup, Round
from tests.workbench.making import POSTS
from tests.workbench.working import (
    assert_whole,
    decided,
    round_of,
    running,
    trainers,
    wait_for_state,
    wait_until,
    worker_of,
)
from workbench.accounts import Account
from workbench.project import Project
from workbench.review import doubts
from workbench.rounds import lifecycle


def test_a_round_killed_in_training_is_trained_by_the_next_worker_scored_and_promoted(
    labelled: Project, boss: Account
) -> None:
    number = lifecycle.start(labelled, boss, is_quick=True)
    with running(worker_of(labelled)) as process:
        wait_until(
            lifecycle.progress_file(labelled, number, "training").exists, "the first steps of training"
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: not trainers(labelled), "the training process to end")
    assert round_of(labelled, number).state == "training"
    with running(worker_of(labelled)):
        # Its test posts are too few for the gate.
        assert wait_for_state(labelled, number, *lifecycle.SETTLED).state == "awaiting"
        row = decided(labelled, number)
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
