"""When a round is due, over clocks that stand still, jump and go back."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InputError
from workbench.rounds.automatic.schedule import (
    Rule,
    Standing,
    Step,
    checked,
    is_time,
    next_step,
    parse_time,
    zone_of,
)

ZONES = ["UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
"""Whole hours, half an hour (Lord Howe) and a whole day left out (Apia, 2011-12-30)."""
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
BEGIN = datetime(2011, 1, 1, tzinfo=UTC)
LOOKS = st.lists(
    st.timedeltas(timedelta(), timedelta(days=365)).map(lambda passed: BEGIN + passed), max_size=40
).map(sorted)
NIGHT = Rule(at=time(2, 30))
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def starts(rule: Rule, looks: Sequence[datetime], taken_on: date | None = None) -> Iterator[datetime]:
    """On the wall clock of the rule's zone; something new is labelled before each look."""
    for moment in looks:
        local = moment.astimezone(zone_of(rule.zone))
        if next_step(rule, Standing(local, taken_on, 1, 1)) is Step.START:
            taken_on = local.date()
            yield local


@given(st.sampled_from(ZONES), TIMES, LOOKS)
def test_a_time_of_day_starts_one_round_a_date_and_none_before_it(
    zone: str, at: time, looks: list[datetime]
) -> None:
    begun = list(starts(Rule(at=at, zone=zone), looks))
    dates = [moment.date() for moment in begun]
    assert len(dates) == len(set(dates))
    assert all(moment.time() >= at for moment in begun)


@given(st.sampled_from(ZONES), TIMES, LOOKS)
def test_each_date_with_a_look_at_or_after_the_time_has_its_round(
    zone: str, at: time, looks: list[datetime]
) -> None:
    local = [moment.astimezone(ZoneInfo(zone)) for moment in looks]
    dates = {moment.date() for moment in local if moment.time() >= at}
    assert {moment.date() for moment in starts(Rule(at=at, zone=zone), looks)} == dates


@given(st.sampled_from(ZONES), TIMES, LOOKS, st.randoms(use_true_random=False))
def test_a_clock_that_is_set_back_repeats_no_date(
    zone: str, at: time, looks: list[datetime], random: object
) -> None:
    random.shuffle(looks)  # type: ignore[attr-defined]
    dates = [moment.date() for moment in starts(Rule(at=at, zone=zone), looks)]
    assert len(dates) == len(set(dates))


@pytest.mark.parametrize(
    ("date_of_change", "expected"),
    [
        (datetime(2026, 3, 29, tzinfo=UTC), "2026-03-29 03:00:00+02:00"),  # 02:30 does not exist
        (datetime(2026, 10, 25, tzinfo=UTC) - timedelta(hours=2), "2026-10-25 02:30:00+02:00"),  # comes twice
    ],
)
def test_a_time_that_the_clocks_leave_out_or_repeat_comes_once(
    date_of_change: datetime, expected: str
) -> None:
    looks = [date_of_change + timedelta(minutes=minute) for minute in range(6 * 60)]
    begun = list(starts(replace(NIGHT, zone="Europe/Berlin"), looks))
    assert list(map(str, begun)) == [expected]


def test_a_worker_that_was_down_makes_up_for_the_time_on_the_same_date_only() -> None:
    back_at_nine = datetime(2026, 1, 6, 9, tzinfo=UTC)
    assert list(starts(NIGHT, [back_at_nine], date(2026, 1, 5))) != []
    before_the_next = datetime(2026, 1, 7, 1, tzinfo=UTC)
    assert list(starts(NIGHT, [before_the_next], date(2026, 1, 5))) == []


@given(st.integers(1, 500), st.integers(0, 1000), st.booleans(), st.booleans())
def test_enough_labels_are_due_at_once_unless_a_round_runs(
    wanted: int, new: int, is_running: bool, skips_next: bool
) -> None:
    standing = Standing(NOON, None, new, new, is_running=is_running, skips_next=skips_next)
    step = next_step(Rule(after_labels=wanted), standing)
    due = Step.SKIP if skips_next else Step.START
    assert step is (due if new >= wanted and not is_running else Step.WAIT)


@given(TIMES, st.integers(1, 500), st.integers(0, 1000), st.booleans())
def test_of_both_the_first_is_due(at: time, wanted: int, new: int, is_taken: bool) -> None:
    taken_on = NOON.date() if is_taken else None
    standing = Standing(NOON, taken_on, new, new)
    alone = [next_step(rule, standing) for rule in (Rule(at=at), Rule(after_labels=wanted))]
    assert (next_step(Rule(wanted, at), standing) is Step.START) == (Step.START in alone)


def test_a_time_without_a_new_label_passes() -> None:
    assert next_step(NIGHT, Standing(NOON)) is Step.NOTHING_NEW


def test_labels_that_were_skipped_are_not_counted_again() -> None:
    rule = Rule(after_labels=100)
    assert next_step(rule, Standing(NOON, None, 130, 30)) is Step.WAIT
    assert next_step(replace(rule, at=time(2, 30)), Standing(NOON, None, 130, 30)) is Step.START


def test_without_number_and_time_nothing_is_due() -> None:
    assert not Rule().is_on
    assert next_step(Rule(), Standing(NOON, None, 999, 999)) is Step.WAIT


@pytest.mark.parametrize("text", ["02:30", " 2:30 "])
def test_a_time_of_day_is_hours_and_minutes(text: str) -> None:
    assert parse_time(text) == time(2, 30)


@pytest.mark.parametrize("text", ["", "2", "24:00", "02:60", "2 am", "02:30:00", "\x1b[2J"])
def test_another_text_is_no_time_of_day(text: str) -> None:
    with pytest.raises(InputError, match="is no time of day"):
        parse_time(text)


@pytest.mark.parametrize("zone", ["", "Mars", "../etc/passwd", "/etc/localtime", "Asia", "UTC\0"])
def test_an_unknown_zone_is_refused_and_opens_no_file(zone: str) -> None:
    with pytest.raises(InputError, match="knows no time zone"):
        checked(Rule(at=time(2), zone=zone))


@pytest.mark.parametrize("count", [0, -1, 10**10])
def test_a_number_of_labels_that_cannot_come_is_refused(count: int) -> None:
    with pytest.raises(InputError, match="after 1 to 1,000,000,000 new labels, not after"):
        checked(Rule(after_labels=count))


def test_a_date_that_was_taken_is_not_due_again() -> None:
    assert is_time(NIGHT, NOON, None)
    assert not is_time(NIGHT, NOON, NOON.date())
