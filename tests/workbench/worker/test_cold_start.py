"""Before the first round: typical and random posts, then a simple model over frozen vectors."""

from collections import Counter

import numpy as np
import pytest
from sqlalchemy import select

from db.queries.standing import current_labels, is_labelled
from db.tables import Annotation, Post, PostGroup, QueueEntry
from tests.workbench.making import label_row, posts_of
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project
from workbench.queue import swap
from workbench.review import resolutions
from workbench.worker import scoring
from workbench.worker.due import COLD_AGAIN, old_cold_queue
from workbench.worker.scoring import PostVectors, cold_scores, vectors_of_posts
from workbench.worker.scoring_steps import prepare_import


def lanes(project: Project) -> Counter[str]:
    with project.database.read() as session:
        return Counter(session.scalars(select(QueueEntry.lane)))


def vectors(project: Project) -> PostVectors:
    post_vectors = vectors_of_posts(project)
    assert post_vectors is not None
    return post_vectors


def without_labels(project: Project) -> None:
    with project.database.write() as session:
        for row in session.scalars(current_labels()).all():
            undone = {name: getattr(row, name) for name in ("post_id", "person_id", "label_set_id")}
            session.add(Annotation(**undone, action="undo", supersedes_id=row.id, saved_at=project.now()))


def test_with_no_labels_typical_and_random_posts_are_served(labelled: Project) -> None:
    without_labels(labelled)
    prepare_import(labelled, 0)
    assert set(lanes(labelled)) == {"typical", "random", "held_out"}


def test_with_some_labels_a_simple_model_puts_the_doubtful_first(labelled: Project) -> None:
    prepare_import(labelled, 0)
    assert lanes(labelled)["uncertain"]
    with labelled.database.read() as session:
        entries = session.scalars(select(QueueEntry)).all()
    assert all(entry.normal is None and entry.round_number is None for entry in entries)


def test_what_the_simple_model_says_is_better_than_chance(labelled: Project) -> None:
    scores = cold_scores(labelled, vectors(labelled))
    assert scores is not None
    with labelled.database.read() as session:
        labels = {row.post_id: str(row.label) for row in session.scalars(current_labels())}
    assert scores.post_ids.tolist() == posts_of(labelled, "pool")
    labelled_rows = [at for at, post in enumerate(scores.post_ids) if int(post) in labels]
    right = [
        LABELS[scores.probabilities[at].argmax()] == labels[int(scores.post_ids[at])] for at in labelled_rows
    ]
    assert np.mean(right) > 0.8


def test_few_labels_or_one_kind_teach_no_model(labelled: Project, boss: Account) -> None:
    without_labels(labelled)
    assert cold_scores(labelled, vectors(labelled)) is None
    with labelled.database.write() as session:
        for post in range(1, 101):
            session.add(label_row(labelled, boss, post, "normal"))
    assert cold_scores(labelled, vectors(labelled)) is None


def test_vectors_are_made_once_and_given_in_the_order_asked(
    labelled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = vectors(labelled)
    first = of(np.array([5, 2, 9]))
    assert np.array_equal(of(np.array([9, 5])), first[[2, 0]])
    assert of(np.array([], dtype=np.int64)).shape[0] == 0
    monkeypatch.setattr(scoring, "VECTORS_KEPT", 4)
    assert np.allclose(
        of(np.array([2, 3, 4, 5])), PostVectors(labelled, of._embedder)(np.array([2, 3, 4, 5]))
    )


def test_without_its_encoder_a_project_still_serves_posts(labelled: Project) -> None:
    gone = labelled.settings.model_copy(update={"base_model": "./gone"})
    object.__setattr__(labelled, "settings", gone)
    prepare_import(labelled, 0)
    assert set(lanes(labelled)) == {"random", "held_out"}


def test_the_queue_is_old_after_so_many_new_labels_and_only_before_the_first_round(
    labelled: Project, boss: Account
) -> None:
    prepare_import(labelled, 0)
    for _ in range(COLD_AGAIN - 1):
        answers.submit(labelled, boss, answers.hold_posts(labelled, boss)[0].post_id, "normal")
    with labelled.database.read() as session:
        assert old_cold_queue(session) is None
        free = select(Post.id).join(PostGroup, PostGroup.id == Post.group_id)
        last = session.scalar(free.where(PostGroup.split == "pool", ~is_labelled()).limit(1))
    assert last is not None
    resolutions.resolve(labelled, boss, last, "normal")  # a lead's decision is a label too
    with labelled.database.read() as session:
        assert old_cold_queue(session) is not None
    swap.rebuild(labelled)
    with labelled.database.read() as session:
        assert old_cold_queue(session) is None
