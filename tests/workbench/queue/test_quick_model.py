"""Before the first round: typical and random posts, then those that a quick model is unsure about."""

from collections import Counter

import numpy as np
import pytest
from sqlalchemy import select

from db.queries.standing import current_labels, is_labelled
from db.tables import Annotation, Post, PostGroup, QueueEntry
from tests.workbench.making import label_row
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project
from workbench.queue.ordering import QuickOrderer
from workbench.queue.quick_model import QuickModel, learned
from workbench.queue.quick_plan import read_pool_labels
from workbench.review import resolutions
from workbench.worker import scoring
from workbench.worker.scoring import PostVectors, vectors_of_posts
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


def model(project: Project) -> QuickModel:
    return QuickModel(project, lambda: vectors_of_posts(project))


def test_with_some_labels_a_simple_model_puts_the_doubtful_first(labelled: Project) -> None:
    prepare_import(labelled, 0)
    assert lanes(labelled)["uncertain"] == 0
    assert model(labelled).order_queue() > 100
    assert lanes(labelled)["uncertain"]
    assert lanes(labelled)["typical"] == 0
    with labelled.database.read() as session:
        entries = session.scalars(select(QueueEntry)).all()
    assert all(entry.normal is None and entry.round_number is None for entry in entries)


def test_what_the_simple_model_says_is_better_than_chance(labelled: Project) -> None:
    with labelled.database.read() as session:
        labels = read_pool_labels(session)
    others = list(labels)[60:]
    probabilities = learned(labelled, dict(list(labels.items())[:60]))(np.array(others))
    right = [
        LABELS[at] == labels[post] for at, post in zip(probabilities.argmax(axis=1), others, strict=True)
    ]
    assert np.mean(right) > 0.8


def test_few_labels_or_one_kind_teach_no_model(labelled: Project, boss: Account) -> None:
    prepare_import(labelled, 0)
    without_labels(labelled)
    assert model(labelled).order_queue() == 0
    with labelled.database.write() as session:
        for post in range(1, 101):
            session.add(label_row(labelled, boss, post, "normal"))
    assert model(labelled).order_queue() == 0


def test_vectors_are_loaded_once_until_the_posts_change(labelled: Project) -> None:
    prepare_import(labelled, 0)
    loads = []

    def load() -> PostVectors | None:
        loads.append(1)
        return vectors_of_posts(labelled)

    quick = QuickModel(labelled, load)
    assert quick.order_queue()
    assert quick.order_queue()
    assert len(loads) == 1
    quick.forget()
    assert quick.order_queue()
    assert len(loads) == 2


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


def test_the_simple_model_needs_no_encoder(labelled: Project) -> None:
    gone = labelled.settings.model_copy(update={"base_model": "./gone"})
    object.__setattr__(labelled, "settings", gone)
    prepare_import(labelled, 0)
    assert model(labelled).order_queue()
    assert lanes(labelled)["uncertain"]


def test_ten_answers_change_what_comes_next(labelled: Project, boss: Account) -> None:
    """Without a round: the queue is due again after ten answers, and its order follows them."""
    prepare_import(labelled, 0)
    orderer = QuickOrderer(labelled, model(labelled).order_queue)
    assert orderer.order_if_due()
    before = uncertain(labelled)
    for _ in range(labelled.settings.quick_model_every - 1):
        answers.submit(labelled, boss, answers.hold_posts(labelled, boss)[0].post_id, "suspicious")
    assert not orderer.order_if_due()
    left = [post for post in before if post in uncertain(labelled)]
    with labelled.database.read() as session:
        free = select(Post.id).join(PostGroup, PostGroup.id == Post.group_id)
        last = session.scalar(free.where(PostGroup.split == "pool", ~is_labelled()).limit(1))
    assert last is not None
    resolutions.resolve(labelled, boss, last, "normal")  # a lead's decision is a label too
    assert orderer.order_if_due()
    after = uncertain(labelled)
    assert after != left
    assert set(after) <= set(before)


def uncertain(project: Project) -> list[int]:
    is_open = QueueEntry.is_answered.is_(False), QueueEntry.lane == "uncertain"
    with project.database.read() as session:
        return list(session.scalars(select(QueueEntry.post_id).where(*is_open).order_by(QueueEntry.position)))
