"""New labels: one count, from the newest round that has learned."""

from tests.conftest import Clock
from tests.workbench.making import add_decision, add_label, add_round, posts_of, ready_queue
from workbench.accounts import Account
from workbench.project import Project
from workbench.rounds.new_labels import NewLabels, read_new_labels


def count(project: Project) -> NewLabels:
    with project.database.read() as session:
        return read_new_labels(session)


def test_before_a_round_every_label_is_new_and_held_out_ones_are_not_learned(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 100)
    for post in [*posts_of(project, "pool")[:5], *posts_of(project, "test")[:2]]:
        add_label(project, ann, post, "normal")
    assert count(project) == NewLabels(7, 5)


def test_they_count_from_the_export_of_the_newest_round_that_learned(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 100)
    pool = posts_of(project, "pool")
    add_label(project, ann, pool[0], "normal")
    begun = clock()
    clock.move(minutes=1)
    add_label(project, ann, pool[1], "normal")
    clock.move(minutes=1)
    add_round(project, lead, 1, {}, state="rejected", labels_until=begun)
    assert count(project) == NewLabels(1, 1)
    add_round(project, lead, 2, None, state="failed")
    add_round(project, lead, 3, None, state="cancelled", labels_until=clock())
    add_round(project, lead, 4, None, state="training", is_running=True, labels_until=clock())
    assert count(project) == NewLabels(1, 1)
    clock.move(minutes=1)
    add_decision(project, lead, pool[0], "violation")
    assert count(project) == NewLabels(2, 2)
    add_round(project, lead, 5, {}, state="awaiting")
    assert count(project) == NewLabels(0, 0)


def test_an_adapter_that_is_put_in_use_has_learned(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 10)
    add_label(project, ann, 1, "normal")
    add_round(project, lead, 1, {}, state="scoring", state_before="awaiting", is_running=True)
    assert count(project) == NewLabels(0, 0)
