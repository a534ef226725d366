"""The one next action of a lead, at every stage of a project."""

import numpy as np

from db.tables import Round
from tests.conftest import Clock
from tests.workbench.making import add_label, add_round, make_champion, posts_of, ready_queue
from tests.workbench.rounds.test_outlook import measured, put_in_use, score_round
from workbench.accounts import Account
from workbench.overview.figures import read_overview
from workbench.project import Project
from workbench.review.cases import open_cases
from workbench.review.resolutions import resolve

Step = tuple[str, int, str | None]


def next_step(project: Project, lead: Account) -> Step:
    advice = read_overview(project, lead, project.now().replace(hour=0)).advice
    return advice.step, advice.count, advice.label


def change_round(project: Project, number: int, **values: object) -> None:
    with project.database.write() as session:
        row = session.get_one(Round, number)
        for name, value in values.items():
            setattr(row, name, value)


def label_test_posts(project: Project, person: Account) -> None:
    """Enough of them for the gate, or all that there are."""
    for post in posts_of(project, "test")[:30]:
        add_label(project, person, post, "normal", lane="held_out")


def test_one_thing_to_do_is_named_at_every_stage(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    assert next_step(project, lead) == ("import", 0, None)
    ready_queue(project, lead, 500)
    assert next_step(project, lead) == ("label", 20, None)
    pool = posts_of(project, "pool")
    for post in pool[:25]:
        add_label(project, ann, post, "normal")
    assert next_step(project, lead) == ("label", 1, None)  # a single kind trains no model
    add_label(project, ann, pool[25], "violation")
    assert next_step(project, lead) == ("start", 26, None)
    clock.move(minutes=1)
    add_round(project, lead, 1, None, state="training", is_running=True)
    assert next_step(project, lead) == ("wait", 1, None)
    change_round(project, 1, state="awaiting", is_running=False, report=measured(26, 0.5))
    assert next_step(project, lead) == ("decide", 1, None)
    change_round(project, 1, state="promoted")
    put_in_use(project, 1)
    assert next_step(project, lead) == ("held out", 30, None)
    label_test_posts(project, ann)
    assert next_step(project, lead) == ("more of", 1, "violation")
    clock.move(minutes=1)
    for post in pool[26:126]:
        add_label(project, ann, post, "normal")
    assert next_step(project, lead) == ("start", 100, None)


def test_labels_that_a_finished_round_has_learned_ask_for_no_second_one(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 500)
    add_round(project, lead, 1, measured(26, 0.5))
    put_in_use(project, 1)
    label_test_posts(project, ann)
    clock.move(minutes=1)
    for post in posts_of(project, "pool")[:100]:
        add_label(project, ann, post, "normal")
    assert next_step(project, lead)[:2] == ("start", 100)
    clock.move(minutes=1)
    add_round(project, lead, 2, measured(126, 0.5), state="rejected", labels_until=project.now())
    assert next_step(project, lead)[0] == "more of"
    add_round(project, lead, 3, None, state="failed")
    assert next_step(project, lead)[0] == "more of"


def test_open_cases_come_before_everything_but_a_finished_round(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead, 60)
    for post in (1, 2):
        add_label(project, ann, post, "normal")
        add_label(project, ben, post, "violation", slot=1)
    add_label(project, ann, 3, "normal", is_flagged=True)
    assert next_step(project, lead) == ("settle", len(open_cases(project, lead)), None) == ("settle", 3, None)
    add_round(project, lead, 1, None, state="training", is_running=True)
    assert next_step(project, lead)[0] == "settle"
    change_round(project, 1, state="awaiting", is_running=False, report=measured(26, 0.5))
    assert next_step(project, lead) == ("decide", 1, None)
    change_round(project, 1, state="rejected")
    resolve(project, lead, 1, "violation")
    assert next_step(project, lead) == ("settle", 2, None)


def test_test_posts_are_asked_for_only_while_there_are_some_to_label(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 60)
    make_champion(project, lead, np.full((60, 3), 1 / 3))
    first, *others = posts_of(project, "test")
    assert next_step(project, lead) == ("held out", 1 + len(others), None)
    # A label from a log does not measure.
    add_label(project, lead, first, "normal", origin="import", source="modlog")
    assert next_step(project, lead) == ("held out", 1 + len(others), None)
    add_label(project, ann, first, "normal", lane="held_out")
    assert next_step(project, lead) == ("held out", len(others), None)
    for post in others:
        add_label(project, ann, post, "normal", lane="held_out")
    assert next_step(project, lead)[0] == "go on"


def test_many_labels_after_a_round_without_a_measure_ask_for_another_round(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 500)
    unmeasured = {"card": {"data": {"train": {"rows": 21}}}}
    add_round(project, lead, 1, unmeasured, state="promoted")
    put_in_use(project, 1)
    label_test_posts(project, ann)
    clock.move(minutes=1)
    pool = posts_of(project, "pool")
    for post in pool[:99]:
        add_label(project, ann, post, "normal")
    assert next_step(project, lead)[0] == "go on"
    add_label(project, ann, pool[99], "normal")
    assert next_step(project, lead)[:2] == ("start", 100)


def test_fewer_posts_than_a_first_round_needs_ask_for_an_import(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 10)
    assert next_step(project, lead)[0] == "label"
    for post in range(1, 11):
        add_label(project, ann, post, "normal")
    assert next_step(project, lead)[0] == "import more"


def test_a_project_without_an_unlabelled_post_is_told_to_import_more(
    project: Project, lead: Account, ann: Account
) -> None:
    ready_queue(project, lead, 30)
    add_round(project, lead, 1, {"card": {"data": {"train": {"rows": 30}}}}, state="promoted")
    put_in_use(project, 1)
    pool = posts_of(project, "pool")
    for post in range(1, 31):
        if post != pool[0]:
            add_label(project, ann, post, "normal")
    assert next_step(project, lead)[0] == "go on"
    add_label(project, ann, pool[0], "violation")
    assert next_step(project, lead)[0] == "import more"


def test_when_labels_no_longer_change_the_model_it_turns_to_watching(project: Project, lead: Account) -> None:
    ready_queue(project, lead, 60)
    for number in range(1, 5):
        add_round(project, lead, number, measured(100 * number, 0.7))
        score_round(project, number, np.tile(np.eye(3), (20, 1)))
    put_in_use(project, 4)
    assert next_step(project, lead)[0] == "watch"
