"""A person's figures, counted by hand; whole weeks alone, and leads a week later."""

from datetime import timedelta
from typing import Any

import pytest

from db.tables import CheckAnswer, Person
from tests.conftest import Clock, member
from tests.workbench.making import add_label, ready_queue
from tests.workbench.plans import plans_of
from workbench.accounts import Account
from workbench.errors import NotAllowedError
from workbench.labelling.pace import FEWEST
from workbench.project import Project
from workbench.review import quality
from workbench.review.quality import WEEKS, read_my_work, read_team_quality

WEEK = timedelta(weeks=1)


def check(
    project: Project, person: Account, post: int, kind: str, expected: str, label: str, **columns: Any
) -> int:
    row = {"action": "label", "label_set_id": 1, "saved_at": project.now()} | columns
    with project.database.write() as session:
        answer = CheckAnswer(
            post_id=post, person_id=person.id, kind=kind, expected=expected, label=label, **row
        )
        session.add(answer)
        session.flush()
        return answer.id


def means(one: quality.Quality) -> dict[str, tuple[float, int]]:
    return {kind: (share.mean, share.rows) for kind, share in one.shares.items()}


def test_each_kind_is_counted_apart(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 40)
    check(project, ann, 1, "gold", "violation", "violation")
    check(project, ann, 2, "gold", "violation", "normal")
    check(project, ann, 3, "gold", "normal", "normal")
    check(project, ann, 4, "own_again", "normal", "suspicious")
    check(project, ben, 5, "gold", "normal", "violation")
    add_label(project, ann, 6, "normal", suggestion="normal")
    add_label(project, ann, 7, "normal", suggestion="violation", was_suggestion_visible=True)
    add_label(project, ben, 6, "violation", slot=1)
    clock.moment += WEEK
    mine = read_my_work(project, ann)
    assert means(mine.whole) == {
        "gold": (pytest.approx(2 / 3), 3),
        "own_again": (0.0, 1),
        "colleagues": (0.0, 1),
        "hidden": (1.0, 1),
        "visible": (0.0, 1),
    }
    assert mine.whole.labels == 2
    assert {label: (share.mean, share.rows) for label, share in mine.gold.items()} == {
        "violation": (0.5, 2),
        "normal": (1.0, 1),
    }
    assert means(read_my_work(project, ben).whole) == {"gold": (0.0, 1), "colleagues": (0.0, 1)}


def test_of_a_changed_answer_the_one_before_the_models_view_counts(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 40)
    first = check(project, ann, 1, "gold", "violation", "normal")
    check(project, ann, 1, "gold", "violation", "violation", supersedes_id=first, was_suggestion_visible=True)
    slip = check(project, ann, 2, "gold", "violation", "normal")
    check(project, ann, 2, "gold", "violation", "violation", supersedes_id=slip)
    aided = check(project, ann, 3, "gold", "violation", "normal", was_suggestion_visible=True)
    check(project, ann, 3, "gold", "violation", "violation", supersedes_id=aided, was_suggestion_visible=True)
    withdrawn = check(project, ann, 4, "gold", "normal", "violation")
    check(project, ann, 4, "gold", "normal", None, supersedes_id=withdrawn, action="undo")
    check(project, ann, 5, "gold", "normal", None, action="skip")
    check(project, ann, 6, "gold", None, "violation")
    clock.moment += WEEK
    assert means(read_my_work(project, ann).whole) == {"gold": (pytest.approx(2 / 3), 3)}


def test_nothing_of_the_running_week_is_told_so_that_no_answer_can_be_read_off(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 40)
    check(project, ann, 1, "gold", "normal", "normal")
    add_label(project, ann, 2, "normal", suggestion="normal")
    clock.move(days=6, hours=14, minutes=59)  # Sunday, a minute before midnight
    assert (read_my_work(project, ann).weeks, read_my_work(project, ann).whole.labels) == ({}, 0)
    clock.move(minutes=1)
    assert read_my_work(project, ann).whole.labels == 1
    assert read_team_quality(project, lead).people == []
    clock.moment += WEEK
    (person,) = read_team_quality(project, lead).people
    assert (person.name, person.quality.labels) == ("Ann", 1)


def test_weeks_and_their_seconds(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 40)
    for week, seconds in ((0, 10), (1, 20)):
        for post in range(1, FEWEST + 1):
            shown = project.now() - timedelta(seconds=seconds)
            add_label(project, ann, post + week * FEWEST, "normal", shown_at=shown)
        clock.moment += WEEK
    add_label(project, ben, FEWEST + 1, "normal", slot=1, shown_at=project.now() - timedelta(hours=1))
    clock.moment += WEEK
    weeks = read_my_work(project, ann).weeks
    assert [week.labels for week in weeks.values()] == [FEWEST, FEWEST, 0]
    assert [week.seconds_each for week in weeks.values()] == [pytest.approx(10), pytest.approx(20), None]
    # The post is compared in the week of the later of the two answers.
    assert [means(week) for week in weeks.values()] == [{}, {}, {"colleagues": (1.0, 1)}]
    assert read_my_work(project, ben).whole.seconds_each is None
    clock.moment += WEEKS * WEEK
    assert read_my_work(project, ann).weeks == {}


def test_leads_see_all_in_order_of_names_and_annotators_themselves_alone(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    ready_queue(project, lead, 40)
    zoe = member(project, "Zoe", "annotator")
    for post, who in enumerate((zoe, ben, ann, ann), start=1):
        add_label(project, who, post, "normal")
    clock.moment += 2 * WEEK
    team = read_team_quality(project, lead)
    assert [(person.name, person.quality.labels) for person in team.people] == [
        ("Ann", 2),
        ("Ben", 1),
        ("Zoe", 1),
    ]
    assert team.until < read_my_work(project, lead).until
    with pytest.raises(NotAllowedError):
        read_team_quality(project, ann)
    assert read_my_work(project, zoe).whole.labels == 1


def test_a_person_who_is_disabled_sees_nothing(project: Project, ann: Account) -> None:
    with project.database.write() as session:
        session.get_one(Person, ann.id).is_active = False
    with pytest.raises(NotAllowedError):
        read_my_work(project, ann)


def test_each_reading_seeks_in_an_index(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead, 40)
    since, until = quality._span(project.now())
    plans = plans_of(project, lambda session: quality._work_of(session, ann.id, [], since, until))
    steps = [step for plan in plans for step in plan]
    assert len(plans) == 2
    assert [step for step in steps if step.startswith("SCAN ")] == []
