"""An annotator's working time today: time on posts, not time with a page open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import takewhile
from statistics import median

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from db.queries.checks import is_current_check
from db.queries.people import answers_given, epoch
from db.queries.standing import is_current, is_first_thought
from db.tables import Annotation, CheckAnswer, Person
from workbench.project import Project

IDLE_SECONDS = 120
"""A longer time on one post counts as absence."""
FEWEST = 5
"""Answers needed for a median."""
GAP_SECONDS = 300
"""A longer gap between answers counts as a rest."""
BREAK_AFTER_MINUTES = 50
LONGEST_STRETCH = timedelta(hours=4)
"""Limit of the look back."""
DAY = timedelta(days=1)
MOST_DAYS = 60

# Built once: they run at every key press, and building one takes longer than running it.
_GIVEN = answers_given(bindparam("person_id"), bindparam("since"))
_LABELLED = _GIVEN.where(Annotation.action == "label", is_current()).with_only_columns(func.count())
_TOOK = _GIVEN.where(is_first_thought(), Annotation.shown_at.is_not(None)).with_only_columns(
    epoch(Annotation.saved_at) - epoch(Annotation.shown_at)
)
_CHECKED = (
    select(func.count())
    .select_from(CheckAnswer)
    .where(
        CheckAnswer.person_id == bindparam("person_id"),
        CheckAnswer.saved_at >= bindparam("since"),
        CheckAnswer.action == "label",
        is_current_check(),
    )
)
_NEWEST_FIRST = _GIVEN.order_by(Annotation.saved_at.desc()).with_only_columns(epoch(Annotation.saved_at))
_GOAL = select(Person.daily_goal).where(Person.id == bindparam("person_id"))
_IS_ANY = select(_GIVEN.where(Annotation.saved_at < bindparam("until")).exists())


@dataclass(frozen=True)
class Day:
    """An annotator's work since midnight of their clock.

    `label_seconds` is the time of the answers, skips included; `seconds_each` their median, None with too few
    answers. `checked` counts labels of check posts, which the annotator cannot tell from others and which are no
    labels of posts. `minutes_in_a_row` may start before midnight, and ends at `LONGEST_STRETCH`.
    """

    labelled: int
    seconds_each: float | None
    label_seconds: float
    minutes_in_a_row: int
    checked: int = 0

    @property
    def wants_break(self) -> bool:
        return self.minutes_in_a_row >= BREAK_AFTER_MINUTES


def today(session: Session, person_id: int, now: datetime, midnight: datetime) -> Day:
    took = _seconds_taken(session, person_id, midnight)
    return Day(
        labelled=_labelled(session, person_id, midnight),
        seconds_each=median(took) if len(took) >= FEWEST else None,
        label_seconds=sum(took),
        minutes_in_a_row=_minutes_in_a_row(session, person_id, now),
        checked=session.scalar(_CHECKED, {"person_id": person_id, "since": midnight}) or 0,
    )


def daily_goal(session: Session, project: Project, person_id: int) -> int:
    """In answers; 0 without one."""
    own = session.scalar(_GOAL, {"person_id": person_id})
    return project.settings.daily_goal if own is None else own


def days_in_a_row(session: Session, person_id: int, midnight: datetime) -> int:
    """Consecutive days with an answer, up to `MOST_DAYS`; today without one does not break the series.

    Days follow the clock of `midnight`, the start of today.
    """
    return days_before(session, person_id, midnight) + has_answered(session, person_id, midnight)


def days_before(session: Session, person_id: int, midnight: datetime) -> int:
    """The days in a row that end yesterday."""
    # Arithmetic on an aware datetime is in local time, so a day of 23 or 25 hours is one day.
    before = (midnight - DAY * number for number in range(1, MOST_DAYS))
    return sum(1 for _day in takewhile(lambda begin: has_answered(session, person_id, begin), before))


def has_answered(session: Session, person_id: int, begin: datetime) -> bool:
    """On the day that begins then."""
    return bool(session.scalar(_IS_ANY, {"person_id": person_id, "since": begin, "until": begin + DAY}))


def monday_of(moment: datetime | date) -> date:
    day = moment.date() if isinstance(moment, datetime) else moment
    return day - timedelta(days=day.weekday())


def _labelled(session: Session, person_id: int, since: datetime) -> int:
    return session.scalar(_LABELLED, {"person_id": person_id, "since": since}) or 0


def _seconds_taken(session: Session, person_id: int, since: datetime) -> Sequence[float]:
    took = session.connection().execute(_TOOK, {"person_id": person_id, "since": since}).scalars()
    return [seconds for seconds in took if 0 <= seconds <= IDLE_SECONDS]


def _minutes_in_a_row(session: Session, person_id: int, now: datetime) -> int:
    """Since the first answer after the latest rest; 0 during a rest."""
    begin = now.timestamp()
    given = {"person_id": person_id, "since": now - LONGEST_STRETCH}
    with session.connection().execute(_NEWEST_FIRST, given) as moments:
        for moment in moments.scalars():
            if begin - moment >= GAP_SECONDS:
                break
            begin = moment
    return int(max(now.timestamp() - begin, 0) // 60)
