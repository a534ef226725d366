"""A quick model is due after so many labels, for the queue as it stands, and never where the setting is off."""

from datetime import timedelta

import numpy as np

from db.tables import Round
from tests.conftest import Clock
from tests.workbench.making import (
    add_decision,
    add_label,
    make_champion,
    order_quickly,
    posts_of,
    ready_queue,
    undecided,
)
from workbench.accounts import Account
from workbench.project import Project
from workbench.queue.quick_order import FEWEST_LABELS, is_due, read_quick_order
from workbench.queue.swap import rebuild


def is_due_now(project: Project) -> bool:
    with project.database.read() as session:
        return is_due(project, session)


def change(project: Project, **settings: object) -> None:
    object.__setattr__(project, "settings", project.settings.model_copy(update=settings))


def label(project: Project, person: Account, posts: list[int]) -> None:
    for at, post in enumerate(posts):
        add_label(project, person, post, "violation" if at % 3 == 0 else "normal")


def test_the_first_order_waits_for_enough_labels_of_two_kinds(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 80)
    pool, held_out = posts_of(project, "pool"), posts_of(project, "test")
    assert not is_due_now(project)
    label(project, ann, [*pool[: FEWEST_LABELS - 1], *held_out])  # held-out labels teach no model
    assert not is_due_now(project)
    label(project, ann, pool[FEWEST_LABELS - 1 : FEWEST_LABELS])
    assert is_due_now(project)


def test_labels_of_one_kind_are_not_enough(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 80)
    for post in posts_of(project, "pool")[:40]:
        add_label(project, ann, post, "normal")
    assert not is_due_now(project)


def test_after_an_order_it_is_due_with_the_tenth_label(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 80)
    pool = posts_of(project, "pool")
    label(project, ann, pool[:30])
    assert order_quickly(project, undecided)
    assert not is_due_now(project)
    label(project, ann, pool[30:39])
    assert not is_due_now(project)
    add_decision(project, lead, pool[40], "normal")  # a lead's decision is a label too
    assert is_due_now(project)


def test_the_setting_says_after_how_many_labels_and_0_is_never(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 80)
    label(project, ann, posts_of(project, "pool")[:30])
    for every, expected in ((30, True), (31, False), (0, False)):
        change(project, quick_model_every=every)
        assert is_due_now(project) is expected


def test_labels_that_the_round_in_use_has_learned_from_do_not_count(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 80)
    pool = posts_of(project, "pool")
    label(project, ann, pool[:30])
    clock.move(minutes=1)
    make_champion(project, lead, np.full((80, 3), 1 / 3))
    assert not is_due_now(project)
    clock.move(minutes=1)
    label(project, ann, pool[30:40])
    assert is_due_now(project)
    with project.database.write() as session:  # they came while it trained, so its adapter does not know them
        session.get_one(Round, 1).created_at = project.now() - timedelta(seconds=1)
    assert is_due_now(project)


def test_with_a_round_in_use_the_setting_may_leave_the_queue_to_it(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 80)
    make_champion(project, lead, np.full((80, 3), 1 / 3))
    clock.move(minutes=1)
    label(project, ann, posts_of(project, "pool")[:30])
    assert is_due_now(project)
    change(project, quick_model_between_rounds=False)
    assert not is_due_now(project)


def test_an_order_ends_with_its_queue(project: Project, lead: Account, clock: Clock) -> None:
    ready_queue(project, lead, 40)
    assert order_quickly(project, undecided, labels=25)
    with project.database.read() as session:
        order = read_quick_order(project, session)
    assert order is not None
    assert order.labels == 25
    clock.move(seconds=1)
    rebuild(project)
    with project.database.read() as session:
        assert read_quick_order(project, session) is None
