"""When a round starts by itself: after so many new labels, at a time of day, or at whichever comes first.

A time of day belongs to a date of its zone's wall clock and is taken once for each date, at the first look at or after
it. So a worker that was down makes up for it until midnight; a time that the clocks leave out comes at the next one
that they show, and a time that they show twice comes at the first.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from workbench.errors import InputError
from workbench.settings import MOST


class Step(StrEnum):
    WAIT = "wait"
    NOTHING_NEW = "nothing new"
    """The time has come without a new label: its date is taken."""
    SKIP = "skip"
    START = "start"


@dataclass(frozen=True)
class Rule:
    """`zone` is an IANA name; None: the time zone of the server."""

    after_labels: int | None = None
    at: time | None = None
    zone: str | None = None

    @property
    def is_on(self) -> bool:
        return self.after_labels is not None or self.at is not None


OFF = Rule()


@dataclass(frozen=True)
class Standing:
    """`local` is now on the wall clock of the rule's zone, `taken_on` the last date whose time of day was taken.

    `is_running`: a round, or an adaptation of the base encoder. `new_labels` counts from the last round;
    `new_since_skip` from the round that was skipped, if that is later.
    """

    local: datetime
    taken_on: date | None = None
    new_labels: int = 0
    new_since_skip: int = 0
    is_running: bool = False
    skips_next: bool = False


def next_step(rule: Rule, standing: Standing) -> Step:
    is_due = is_time(rule, standing.local, standing.taken_on) or is_enough(rule, standing)
    if standing.is_running or not is_due:
        return Step.WAIT
    if standing.skips_next:
        return Step.SKIP
    return Step.START if standing.new_labels else Step.NOTHING_NEW


def is_time(rule: Rule, local: datetime, taken_on: date | None) -> bool:
    is_taken = taken_on is not None and taken_on >= local.date()
    return rule.at is not None and not is_taken and local.time() >= rule.at


def is_enough(rule: Rule, standing: Standing) -> bool:
    return rule.after_labels is not None and standing.new_since_skip >= rule.after_labels


def checked(rule: Rule) -> Rule:
    """Raises InputError for a number of labels or a time zone that cannot be used."""
    if rule.after_labels is not None and not 1 <= rule.after_labels <= MOST:
        raise InputError(
            "A round starts after 1 to {most} new labels, not after {count}.",
            most=f"{MOST:,}",
            count=f"{rule.after_labels:,}",
        )
    zone_of(rule.zone)
    return rule


def zone_of(name: str | None) -> tzinfo | None:
    """None stands for the zone of this machine, as `datetime.astimezone` takes it. Raises InputError."""
    if name is None:
        return None
    if name not in zone_names():
        raise InputError(
            "This machine knows no time zone {zone}. Name one as Asia/Shanghai or Europe/Berlin.", zone=name
        )
    return ZoneInfo(name)


@cache
def zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def parse_time(text: str) -> time:
    """Raises InputError unless `text` is hours and minutes."""
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 - a time of day has no zone
    except ValueError as error:
        raise InputError("{text} is no time of day. Write it as 02:30.", text=text) from error
