"""The day's working time, checked against a plain Python count."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import median
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, text

from db.tables import Annotation
from tests.conftest import Clock
from tests.workbench.making import ready_queue
from tests.workbench.plans import plans_of
from workbench.accounts import Account
from workbench.labelling import answers as labelling_answers
from workbench.labelling.pace import MOST_DAYS, Day, days_in_a_row, today
from workbench.project import Project

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)
NOON = MIDNIGHT + timedelta(hours=12)


@dataclass(frozen=True)
class Answer:
    """Seconds it took, and seconds after midnight when it was saved."""

    saved: int
    took: int | None = 10
    action: str = "label"
    origin: str = "person"


def put(project: Project, person: Account, answers: Iterable[Answer]) -> None:
    rows = [
        {
            "id": number,
            "post_id": 1,
            "person_id": person.id,
            "action": answer.action,
            "label": "normal" if answer.action == "label" else None,
            "label_set_id": 1,
            "origin": answer.origin,
            "saved_at": (saved := MIDNIGHT + timedelta(seconds=answer.saved)),
            "shown_at": None if answer.took is None else saved - timedelta(seconds=answer.took),
        }
        for number, answer in enumerate(answers, start=1)
    ]
    with project.database.write() as session:
        if rows:
            session.execute(insert(Annotation), rows)


def day(project: Project, person: Account, now: datetime = NOON, midnight: datetime = MIDNIGHT) -> Day:
    with project.database.read() as session:
        return today(session, person.id, now, midnight)


def days(project: Project, person: Account, midnight: datetime = MIDNIGHT) -> int:
    with project.database.read() as session:
        return days_in_a_row(session, person.id, midnight)


@pytest.fixture
def desk(project: Project, lead: Account) -> Project:
    ready_queue(project, lead, 40)
    return project


def test_a_day_without_answers_is_empty(desk: Project, ann: Account) -> None:
    assert day(desk, ann) == Day(0, None, 0, 0)
    assert days(desk, ann) == 0


def test_idle_time_does_not_count(desk: Project, ann: Account) -> None:
    put(
        desk, ann, [Answer(100 + 200 * n, took) for n, took in enumerate([4, 8, 6, 120, 121, 3_000, None, 5])]
    )
    this_day = day(desk, ann)
    assert this_day.seconds_each == 6
    assert this_day.label_seconds == 143
    assert this_day.labelled == 8


def test_four_answers_tell_no_pace(desk: Project, ann: Account) -> None:
    put(desk, ann, [Answer(n * 20) for n in range(4)])
    assert day(desk, ann).seconds_each is None
    assert day(desk, ann).label_seconds == 40


def test_only_a_persons_own_answers_since_midnight_count(desk: Project, ann: Account, ben: Account) -> None:
    put(desk, ann, [Answer(-1), Answer(0), Answer(9, action="skip"), Answer(20, origin="import")])
    assert day(desk, ann) == Day(1, None, 20, 0)
    assert day(desk, ben) == Day(0, None, 0, 0)


def test_what_a_desk_writes_is_read_as_it_was_meant(desk: Project, ann: Account, clock: Clock) -> None:
    """A correction adds no time; an undone answer keeps its time."""
    midnight = clock().replace(hour=0)

    def answer(seconds: int) -> labelling_answers.Saved:
        post = labelling_answers.hold_posts(desk, ann)[0].post_id
        clock.move(seconds=seconds)
        return labelling_answers.submit(desk, ann, post, "normal")

    saved = answer(10)
    clock.move(seconds=30)
    labelling_answers.change(desk, ann, saved.annotation_id, "violation")
    labelling_answers.undo(desk, ann)
    answer(7)
    labelling_answers.skip(desk, ann, labelling_answers.hold_posts(desk, ann)[0].post_id)
    assert day(desk, ann, clock(), midnight) == Day(1, None, 17, 0)


@pytest.mark.parametrize(("gap", "minutes"), [(299, 14), (300, 10)])
def test_five_minutes_without_an_answer_are_a_rest(
    desk: Project, ann: Account, gap: int, minutes: int
) -> None:
    first = 12 * 3_600 - 600
    put(desk, ann, [Answer(first - gap), *(Answer(first + n * 100) for n in range(6))])
    assert day(desk, ann).minutes_in_a_row == minutes
    assert day(desk, ann, NOON + timedelta(minutes=6)).minutes_in_a_row == 0


def test_after_fifty_minutes_a_break_is_due_across_midnight_too(desk: Project, ann: Account) -> None:
    put(desk, ann, [Answer(minute * 60) for minute in range(-40, 10)])
    assert not day(desk, ann, MIDNIGHT + timedelta(minutes=9, seconds=59)).wants_break
    this_day = day(desk, ann, MIDNIGHT + timedelta(minutes=10))
    assert this_day.minutes_in_a_row == 50
    assert this_day.wants_break
    assert this_day.labelled == 10


def test_days_in_a_row_end_at_a_day_without_answers(desk: Project, ann: Account) -> None:
    put(desk, ann, [Answer(86_400 * number) for number in (-4, -2, -1)])
    assert days(desk, ann) == 2  # today has just begun
    assert days(desk, ann, MIDNIGHT + timedelta(days=1)) == 0


def test_they_are_looked_for_so_far_and_no_further(desk: Project, ann: Account) -> None:
    put(desk, ann, [Answer(86_400 * -number) for number in range(MOST_DAYS + 9)])
    assert days(desk, ann) == MOST_DAYS


def test_days_are_those_of_the_readers_clock(desk: Project, ann: Account) -> None:
    put(desk, ann, [Answer(0), Answer(-3_600)])
    assert days(desk, ann) == 2
    assert days(desk, ann, datetime(2026, 1, 5, tzinfo=ZoneInfo("Asia/Shanghai"))) == 1


def test_a_day_of_23_hours_is_one_day(desk: Project, ann: Account) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    noons = [datetime(2026, 3, number, 0, 30, tzinfo=berlin) for number in (28, 29, 30)]
    put(desk, ann, [Answer(int((noon - MIDNIGHT).total_seconds())) for noon in noons])
    assert days(desk, ann, datetime(2026, 3, 30, tzinfo=berlin)) == 3


ANSWERS = st.lists(
    st.builds(
        Answer,
        saved=st.integers(-3 * 86_400, 12 * 3_600),
        took=st.none() | st.integers(0, 300),
        action=st.sampled_from(["label", "skip", "undo"]),
        origin=st.sampled_from(["person", "person", "import", "propagated"]),
    )
    | st.builds(Answer, saved=st.integers(11 * 3_600, 12 * 3_600)),
    max_size=40,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(ANSWERS)
def test_plain_python_comes_to_the_same(desk: Project, ann: Account, answers: list[Answer]) -> None:
    with desk.database.write() as session:
        for trigger in session.scalars(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'annotation'")
        ).all():
            session.execute(text(f"DROP TRIGGER {trigger}"))
        session.execute(delete(Annotation))
    put(desk, ann, answers)
    own = [each for each in answers if each.origin == "person" and each.action != "undo"]
    new = [each for each in own if each.saved >= 0]
    took = [each.took for each in new if each.took is not None and each.took <= 120]
    this_day = day(desk, ann)
    assert this_day.labelled == sum(each.action == "label" for each in new)
    assert this_day.seconds_each == (pytest.approx(median(took), abs=0.001) if len(took) > 4 else None)
    assert this_day.label_seconds == pytest.approx(sum(took), abs=0.01)
    noon = 12 * 3_600
    late = sorted(each.saved for each in own if each.saved >= noon - 4 * 3_600)
    begin = noon
    for earlier, later in reversed(list(pairwise([*late, noon]))):
        if later - earlier >= 300:
            break
        begin = earlier
    assert this_day.minutes_in_a_row == (noon - begin) // 60
    seen = {(MIDNIGHT + timedelta(seconds=each.saved)).date() for each in own}
    assert days(desk, ann) == streak(seen, MIDNIGHT.date())


def streak(seen: set[date], last: date) -> int:
    count = int(last in seen)
    while (last := last - timedelta(days=1)) in seen:
        count += 1
    return count


def test_each_reading_seeks_in_the_index(desk: Project, ann: Account) -> None:
    plans = [
        *plans_of(desk, lambda session: today(session, ann.id, NOON, MIDNIGHT)),
        *plans_of(desk, lambda session: days_in_a_row(session, ann.id, MIDNIGHT)),
    ]
    assert len(plans) == 6
    indexes = ("ix_annotation_saved_at", "ix_check_answer_person_id")
    for plan in plans:
        assert any(f"{name} (person_id=? AND saved_at>?" in step for step in plan for name in indexes), plan
        assert not [
            step for step in plan if "TEMP B-TREE" in step or ("SCAN " in step and "CONSTANT" not in step)
        ], plan
