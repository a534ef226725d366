"""The demo's days end yesterday, on whatever day it is opened."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.demo.clock import A_WEEK, DAYS, SATURDAY, Clock, first_days, labelling_days


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1)))
def test_the_last_day_is_yesterday_and_all_others_are_weekdays(today: date) -> None:
    days = labelling_days(today)
    assert len(days) == DAYS
    assert days == sorted(set(days))
    assert days[-1] == today - timedelta(days=1)
    assert all(day.weekday() < SATURDAY for day in days[:-1])


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1)))
def test_the_weeks_begin_seven_days_apart(today: date) -> None:
    mornings = first_days(labelling_days(today))
    assert len(mornings) == DAYS // A_WEEK
    assert {(after - before).days for before, after in itertools.pairwise(mornings)} == {7}


@pytest.mark.parametrize("hours", [-1, 0])
def test_the_clock_never_goes_back(hours: int) -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    clock = Clock(noon)
    clock.set(noon + timedelta(hours=hours))
    assert clock() == noon
    clock.move(30)
    assert clock() == noon + timedelta(seconds=30)
