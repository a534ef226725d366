"""The demo's time: a clock that the story sets, and the days on which its team labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

DAYS = 20
"""Four weeks of five days."""
A_WEEK = 5
SATURDAY = 5


@dataclass
class Clock:
    """Never goes back: a moment in its past leaves it where it is."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment

    def set(self, moment: datetime) -> None:
        self.moment = max(self.moment, moment)

    def move(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


def labelling_days(today: date) -> list[date]:
    """The last days with labels, oldest first: weekdays, and yesterday whatever it is."""
    days, day = [today - timedelta(days=1)], today - timedelta(days=2)
    while len(days) < DAYS:
        if day.weekday() < SATURDAY:
            days.append(day)
        day -= timedelta(days=1)
    return days[::-1]


def at(day: date, clock_time: str, zone: tzinfo | None) -> datetime:
    """`clock_time` is like 09:30; in the time zone of the machine without one."""
    return datetime.combine(day, time.fromisoformat(clock_time), zone).astimezone(zone)


def first_days(days: Sequence[date]) -> Sequence[date]:
    """The first labelling day of each week."""
    return days[::A_WEEK]
