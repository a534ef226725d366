"""Rounds that start by themselves: what is counted, what is taken once, who may change it, and what is said."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from db.tables import Adaptation, AuditEntry, Round, RoundRule
from tests.conftest import Clock
from tests.workbench.making import add_decision, add_label, add_round, posts_of, ready_queue
from tests.workbench.team import member
from workbench import jobs
from workbench.accounts import Account
from workbench.errors import InputError, NotAllowedError, RoundError
from workbench.project import Project, open_project
from workbench.rounds import lifecycle
from workbench.rounds.automatic import rules, schedule
from workbench.rounds.automatic.schedule import OFF, Rule
from workbench.rounds.automatic.upcoming import Upcoming, read_upcoming

NIGHT = Rule(at=time(2), zone="UTC")
DIES_BEFORE_THE_COMMIT = """
import os, signal, sys
from datetime import datetime
from dataclasses import replace
from pathlib import Path
from workbench import jobs
from workbench.project import open_project
from workbench.rounds.automatic import rules
enqueue = jobs.enqueue
def die(*arguments, **named):
    enqueue(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
jobs.enqueue = die
moment = datetime.fromisoformat(sys.argv[2])
rules.start_due(replace(open_project(Path(sys.argv[1])), now=lambda: moment))
"""


@pytest.fixture
def posts(project: Project, lead: Account) -> list[int]:
    """Of the pool, not labelled yet."""
    ready_queue(project, lead, 60)
    return posts_of(project, "pool")


def label(project: Project, person: Account, posts: list[int], count: int) -> None:
    """Takes that many posts from the list."""
    for number in range(count):
        add_label(project, person, posts.pop(), "normal" if number % 2 else "violation")


def upcoming(project: Project) -> Upcoming:
    with project.database.read() as session:
        return read_upcoming(project, session)


def said(project: Project) -> str:
    return " ".join(map(str, upcoming(project).sentences()))


def rule_row(project: Project) -> RoundRule:
    with project.database.read() as session:
        return session.get_one(RoundRule, 1)


def end(project: Project, number: int, state: str = "promoted", **values: Any) -> None:
    with project.database.write() as session:
        row = session.get_one(Round, number)
        row.state, row.is_running = state, False
        for name, value in values.items():
            setattr(row, name, value)


def test_off_by_default(project: Project, lead: Account, posts: list[int]) -> None:
    label(project, lead, posts, 30)
    assert rules.start_due(project) is None
    assert said(project) == "No round starts by itself."


def test_a_round_starts_once_enough_is_labelled_and_is_the_rules(
    project: Project, lead: Account, posts: list[int]
) -> None:
    rules.set_rule(project, lead, Rule(after_labels=30))
    label(project, lead, posts, 29)
    assert rules.start_due(project) is None
    assert said(project) == "A round starts by itself after 1 more labels."
    label(project, lead, posts, 1)
    assert said(project) == "A round starts by itself soon: 30 new labels."
    assert rules.start_due(project) == 1
    assert jobs.is_waiting(project.database.engine, 1)
    with project.database.read() as session:
        facts = lifecycle.describe(session, lifecycle.find(session, 1))
        started = session.scalars(select(AuditEntry).where(AuditEntry.action == "start round")).one()
    assert (facts["automatic"], facts["started_by"], facts["quick"]) == (True, "林", False)
    assert started.detail["automatic"] is True
    with pytest.raises(RoundError, match="Round 1 is already under way, started by the rule of 林"):
        lifecycle.start(project, lead)


def test_only_one_runs_and_it_is_cancelled_like_any_other(
    project: Project, lead: Account, clock: Clock, posts: list[int]
) -> None:
    rules.set_rule(project, lead, Rule(after_labels=20))
    label(project, lead, posts, 20)
    assert rules.start_due(project) == 1
    clock.move(minutes=1)
    label(project, lead, posts, 20)
    assert rules.start_due(project) is None
    lifecycle.cancel(project, lead, 1)
    assert rules.start_due(project) == 2
    lifecycle.cancel(project, lead, 2)
    assert rules.start_due(project) is None


def test_a_round_waits_until_the_base_encoder_is_adapted(
    project: Project, lead: Account, posts: list[int]
) -> None:
    rules.set_rule(project, lead, Rule(after_labels=20))
    label(project, lead, posts, 20)
    values = {"state": "running", "is_running": True, "base": "starter", "minutes": 7}
    with project.database.write() as session:
        session.add(Adaptation(number=1, created_at=project.now(), started_by_id=lead.id, **values))
    assert rules.start_due(project) is None
    assert rule_row(project).refusal is None
    with project.database.write() as session:
        session.get_one(Adaptation, 1).is_running = False
    assert rules.start_due(project) == 1


def test_eight_looks_at_once_start_one_round(project: Project, lead: Account, posts: list[int]) -> None:
    rules.set_rule(project, lead, Rule(after_labels=20))
    label(project, lead, posts, 20)
    together = Barrier(8)

    def look(_: int) -> int | None:
        together.wait()
        return rules.start_due(project)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(filter(None, pool.map(look, range(8)))) == [1]


def test_a_time_of_day_comes_once_and_only_with_something_new(
    project: Project, lead: Account, clock: Clock, posts: list[int]
) -> None:
    rules.set_rule(project, lead, NIGHT)  # at nine: two o'clock has passed
    assert said(project) == (
        "A round starts by itself at 02:00 (UTC) if something is labelled by then: nothing new so far."
    )
    label(project, lead, posts, 30)
    assert rules.start_due(project) is None
    assert said(project) == "A round starts by itself at 02:00 (UTC): 30 new labels so far."
    clock.move(hours=17)
    assert rules.start_due(project) == 1
    end(project, 1, labels_until=project.now())
    clock.move(hours=1)
    label(project, lead, posts, 5)
    assert rules.start_due(project) is None
    clock.move(hours=23)
    assert rules.start_due(project) == 2
    end(project, 2, labels_until=project.now())
    clock.move(hours=24)
    assert rules.start_due(project) is None
    label(project, lead, posts, 5)
    clock.move(hours=1)
    assert rules.start_due(project) is None, "its date was taken without a round"
    clock.move(hours=23)
    assert rules.start_due(project) == 3


def test_with_both_the_line_names_both(project: Project, lead: Account, posts: list[int]) -> None:
    rules.set_rule(project, lead, Rule(120, time(2), "Asia/Shanghai"))
    label(project, lead, posts, 20)
    assert said(project) == (
        "A round starts by itself after 100 more labels, or at 02:00 (Asia/Shanghai): 20 new labels so far."
    )


def test_a_time_while_a_round_runs_is_taken_when_it_has_ended(
    project: Project, lead: Account, clock: Clock, posts: list[int]
) -> None:
    rules.set_rule(project, lead, NIGHT)
    add_round(project, lead, state="training", is_running=True)
    clock.move(hours=18)
    label(project, lead, posts, 30)
    assert rules.start_due(project) is None
    end(project, 1)
    assert rules.start_due(project) == 2


def test_a_worker_killed_before_the_commit_has_started_nothing_and_the_next_one_starts_it_once(
    project: Project, lead: Account, posts: list[int], clock: Clock
) -> None:
    rules.set_rule(project, lead, NIGHT)
    label(project, lead, posts, 30)
    clock.move(hours=18)
    command = [sys.executable, "-c", DIES_BEFORE_THE_COMMIT, str(project.home), project.now().isoformat()]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    with project.database.read() as session:
        assert lifecycle.running(session) is None
    assert not jobs.is_waiting(project.database.engine, 1)
    assert rules.start_due(project) == 1
    lifecycle.cancel(project, lead, 1)
    assert rules.start_due(project) is None


def test_after_a_failure_only_later_labels_start_another(
    project: Project, lead: Account, posts: list[int], clock: Clock
) -> None:
    rules.set_rule(project, lead, Rule(after_labels=20))
    label(project, lead, posts, 20)
    assert rules.start_due(project) == 1
    end(project, 1, "failed", labels_until=None)
    clock.move(hours=1)
    assert rules.start_due(project) is None
    assert said(project) == (
        "A round starts by itself after 20 more labels. Round 1 failed and is not tried again by itself: "
        "only what is labelled since it started counts for the next one. A lead can start one."
    )
    label(project, lead, posts, 20)
    assert rules.start_due(project) == 2
    end(project, 2, labels_until=project.now())
    assert "failed" not in said(project)


def test_labels_that_a_round_had_are_not_new_whenever_it_was_queued(
    project: Project, lead: Account, posts: list[int], clock: Clock
) -> None:
    """It was queued at nine, exported at eleven, and a bundle of eight came home as the next one."""
    add_round(project, lead, 1, labels_until=datetime(2026, 1, 5, 11, tzinfo=UTC))
    add_round(project, lead, 2, labels_until=datetime(2026, 1, 5, 8, tzinfo=UTC))
    rules.set_rule(project, lead, Rule(after_labels=100))
    clock.move(hours=1)
    label(project, lead, posts, 3)
    assert upcoming(project).standing.new_labels == 0
    clock.move(hours=2)
    label(project, lead, posts, 2)
    add_decision(project, lead, posts[0], "normal")
    assert upcoming(project).standing.new_labels == 3


def test_the_next_one_is_skipped_and_the_labels_count_anew(
    project: Project, lead: Account, posts: list[int], clock: Clock
) -> None:
    rules.set_rule(project, lead, Rule(after_labels=20))
    rules.skip_next(project, lead)
    label(project, lead, posts, 20)
    assert "The next one is skipped." in said(project)
    assert rules.start_due(project) is None
    assert said(project) == "A round starts by itself after 20 more labels."
    clock.move(minutes=1)
    label(project, lead, posts, 19)
    assert rules.start_due(project) is None
    label(project, lead, posts, 1)
    assert rules.start_due(project) == 1


def test_a_skipped_night_is_one_night(
    project: Project, lead: Account, posts: list[int], clock: Clock
) -> None:
    rules.set_rule(project, lead, NIGHT)
    label(project, lead, posts, 30)
    rules.skip_next(project, lead)
    clock.move(hours=18)
    assert rules.start_due(project) is None
    assert rules.start_due(project) is None
    clock.move(hours=24)
    assert rules.start_due(project) == 1


def test_a_skip_is_taken_back(project: Project, lead: Account, posts: list[int]) -> None:
    rules.set_rule(project, lead, Rule(after_labels=20))
    rules.skip_next(project, lead)
    rules.skip_next(project, lead, skips=False)
    label(project, lead, posts, 20)
    assert rules.start_due(project) == 1


def test_a_rule_without_a_next_one_skips_none(project: Project, lead: Account) -> None:
    for _ in range(2):
        with pytest.raises(RoundError, match="there is none to skip"):
            rules.skip_next(project, lead)
        rules.set_rule(project, lead, OFF)


def test_too_few_labels_to_learn_from_are_said_and_the_night_is_taken(
    project: Project, lead: Account, posts: list[int], clock: Clock
) -> None:
    rules.set_rule(project, lead, NIGHT)
    label(project, lead, posts, 4)
    clock.move(hours=18)
    assert rules.start_due(project) is None
    assert (
        "The round that was due did not start: A round needs at least 20 labelled posts of two labels to learn from; "
        "there are 4 of 2." in said(project)
    )
    assert rule_row(project).taken_on == date(2026, 1, 6)
    label(project, lead, posts, 30)
    assert rules.start_due(project) is None
    clock.move(hours=24)
    assert rules.start_due(project) == 1
    assert "did not start" not in said(project)


def test_only_leads_change_it(project: Project, lead: Account, ann: Account) -> None:
    rules.set_rule(project, lead, NIGHT)
    for action in (
        lambda: rules.set_rule(project, ann, OFF),
        lambda: rules.skip_next(project, ann),
    ):
        with pytest.raises(NotAllowedError, match="Ann may not do this"):
            action()
    assert upcoming(project).rule == NIGHT


def test_who_changed_it_when_is_in_the_audit(project: Project, lead: Account, clock: Clock) -> None:
    rules.set_rule(project, lead, Rule(120, time(2), "UTC"))
    other = member(project, "Lea", "lead")
    clock.move(hours=1)
    rules.skip_next(project, other)
    rules.set_rule(project, other, OFF)
    with project.database.read() as session:
        entries = session.scalars(select(AuditEntry).where(AuditEntry.subject == "rounds")).all()
    assert [(entry.person_id, entry.action, entry.detail) for entry in entries] == [
        (lead.id, "set automatic rounds", {"after_labels": 120, "at": "02:00", "zone": "UTC"}),
        (other.id, "skip automatic round", {"skips": True}),
        (other.id, "set automatic rounds", {"after_labels": None, "at": None, "zone": None}),
    ]
    assert (entries[-1].at, upcoming(project).set_by) == (project.now(), "Lea")
    assert not rule_row(project).skips_next


def test_a_rule_that_another_lead_has_changed_meanwhile_is_kept(
    project: Project, lead: Account, clock: Clock
) -> None:
    rules.set_rule(project, lead, NIGHT, seen=None)
    seen = upcoming(project).set_at
    clock.move(minutes=1)
    rules.set_rule(project, lead, Rule(after_labels=50), seen=seen)
    for stale in (None, seen):
        with pytest.raises(RoundError, match="Another lead has changed when"):
            rules.set_rule(project, lead, OFF, seen=stale)
    assert upcoming(project).rule == Rule(after_labels=50)


def test_a_change_beside_an_unchanged_time_does_not_lose_a_night_that_is_due(
    project: Project, lead: Account, posts: list[int], clock: Clock
) -> None:
    rules.set_rule(project, lead, NIGHT)
    label(project, lead, posts, 30)
    clock.move(hours=20)
    rules.set_rule(project, lead, replace(NIGHT, after_labels=500))
    assert rules.start_due(project) == 1


def test_a_zone_that_this_machine_lacks_starts_nothing_and_is_said(
    project: Project, lead: Account, posts: list[int], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules.set_rule(project, lead, replace(NIGHT, zone="Asia/Shanghai"))
    label(project, lead, posts, 30)
    clock.move(hours=24)
    with monkeypatch.context() as patched:
        patched.setattr(schedule, "zone_names", lambda: frozenset({"UTC"}))
        assert rules.start_due(project) is None
        assert "This machine knows no time zone Asia/Shanghai" in said(project)
    assert rules.start_due(project) == 1


def test_what_cannot_be_kept_is_refused_and_changes_nothing(project: Project, lead: Account) -> None:
    rules.set_rule(project, lead, NIGHT)
    for rule in (Rule(after_labels=0), Rule(at=time(3), zone="Mars")):
        with pytest.raises(InputError):
            rules.set_rule(project, lead, rule)
    assert upcoming(project).rule == NIGHT


def test_the_rule_outlives_the_process(project: Project, lead: Account) -> None:
    rules.set_rule(project, lead, Rule(120, time(2, 30), "Asia/Shanghai"))
    again = open_project(project.home)
    assert upcoming(again).rule == Rule(120, time(2, 30), "Asia/Shanghai")
    again.database.dispose()
