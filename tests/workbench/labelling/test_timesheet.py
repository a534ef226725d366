"""The timesheet, checked against a plain Python count; a name is never run as a formula."""

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, text, update

from db.queries.people import acts_of
from db.tables import Annotation, Person
from tests.conftest import Clock
from tests.workbench.commands.test_review import run
from tests.workbench.making import COPIES, different_texts, import_texts, ready_queue
from tests.workbench.plans import plans_of
from workbench.accounts import Account
from workbench.errors import NotAllowedError
from workbench.exports.spreadsheet import csv_lines
from workbench.imports.preparing import prepare
from workbench.labelling import answers, pace, timesheet
from workbench.labelling.pace import IDLE_SECONDS
from workbench.labelling.timesheet import PersonDay
from workbench.project import Project
from workbench.queue import swap
from workbench.review import resolutions

SHANGHAI = ZoneInfo("Asia/Shanghai")


def sheet(
    project: Project, lead: Account, since: date | None = None, zone: ZoneInfo | None = None
) -> list[PersonDay]:
    return list(timesheet.timesheet(project, lead, since=since, zone=zone or ZoneInfo("UTC")))


def test_the_time_of_a_post_that_waits_behind_an_undo_counts_once(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    began = project.now()

    def after(seconds: int) -> int:
        post = answers.hold_posts(project, ann)[0].post_id
        clock.move(seconds=seconds)
        return post

    answers.submit(project, ann, first := after(10), "normal")
    behind = after(30)
    answers.undo(project, ann)
    assert after(10) == first
    answers.submit(project, ann, first, "violation")
    assert after(5) == behind
    answers.submit(project, ann, behind, "normal")
    with project.database.read() as session:
        assert pace.today(session, ann.id, project.now(), began).label_seconds == pytest.approx(25, abs=0.01)
    assert [day.minutes for day in sheet(project, lead)] == [0.4]


def test_a_day_at_the_desk_is_told_figure_by_figure(
    project: Project, lead: Account, ann: Account, ben: Account, clock: Clock
) -> None:
    import_texts(project, lead, [*COPIES, *different_texts(40)])
    prepare(project)
    swap.rebuild(project)

    def after(seconds: int) -> int:
        post = answers.hold_posts(project, ann)[0].post_id
        clock.move(seconds=seconds)
        return post

    first = answers.submit(project, ann, after(10), "normal")
    answers.change(project, ann, first.annotation_id, "violation")  # 1 changed
    answers.skip(project, ann, after(20))
    answers.ask_lead(project, ann, after(30))
    answers.submit(project, ann, after(IDLE_SECONDS + 1), "normal")  # no working time: idle
    answers.undo(project, ann)
    saved = answers.submit(project, ann, after(5), "violation", note="hm")
    answers.give_reason(project, ann, saved.annotation_id, "辱骂")  # part of the label, not counted
    while not saved.copies:
        saved = answers.submit(project, ann, after(1), "violation")
    before = sheet(project, lead)[0]
    given = answers.propagate(project, ann, saved.annotation_id, range(1, 1_000))
    clock.move(days=1)
    answers.flag(project, ann, given.annotation_id)
    ann_1, ann_2 = sheet(project, lead)
    assert (ann_1.person, ann_1.skipped, ann_1.asked, ann_1.changed, ann_1.undone) == ("Ann", 1, 1, 1, 1)
    assert ann_1.labelled == before.labelled
    assert ann_1.labelled >= 3
    ones = ann_1.labelled - 3
    assert ann_1.minutes == round((10 + 20 + 30 + 5 + ones) / 60, 1)
    assert ann_1.propagated == 2
    assert ann_2 == PersonDay("Ann", date(2026, 1, 6), 0, 0, 1, 0, 0, 0, 0, 0.0)


def test_days_are_those_of_the_clock_that_is_asked_for(
    project: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    ready_queue(project, lead)
    for hours in (0, 8):  # 9:00 and 17:00 in UTC
        clock.move(hours=hours)
        answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    assert [day.labelled for day in sheet(project, lead)] == [2]
    days = sheet(project, lead, zone=SHANGHAI)
    assert [(day.day.day, day.labelled) for day in days] == [(5, 1), (6, 1)]
    later = sheet(project, lead, since=date(2026, 1, 6), zone=SHANGHAI)
    assert [(day.day.day, day.labelled) for day in later] == [(6, 1)]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_the_first_and_the_last_day_that_can_be_written_are_days(
    project: Project, lead: Account, ann: Account, zone: str
) -> None:
    """Neither can be expressed in UTC from every time zone."""
    ready_queue(project, lead)
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    assert len(sheet(project, lead, date.min, ZoneInfo(zone))) == 1
    assert sheet(project, lead, date.max, ZoneInfo(zone)) == []


def test_only_a_lead_reads_it(project: Project, ann: Account) -> None:
    with pytest.raises(NotAllowedError):
        timesheet.timesheet(project, ann, zone=UTC)


def test_skipped_posts_are_followed_until_somebody_decides(
    project: Project, lead: Account, ann: Account, ben: Account
) -> None:
    ready_queue(project, lead)
    first = answers.hold_posts(project, ann)[0].post_id
    answers.skip(project, ann, first)
    second = answers.hold_posts(project, ann)[0].post_id
    answers.skip(project, ann, second)
    answers.ask_lead(project, ann, answers.hold_posts(project, ann)[0].post_id)

    def counts() -> tuple[int, int]:
        with project.database.read() as session:
            skipped = timesheet.skipped_posts(session)
        return skipped.waiting, skipped.queued

    assert counts() == (2, 2)
    answers.skip(
        project, ben, next(c for c in answers.hold_posts(project, ben) if c.post_id == first).post_id
    )
    assert counts() == (2, 2)
    resolutions.resolve(project, lead, first, "normal")
    assert counts() == (1, 1)
    answers.submit(project, ben, second, "normal")
    assert counts() == (0, 0)


def test_each_person_is_read_by_index(project: Project, lead: Account) -> None:
    ready_queue(project, lead)
    plans = plans_of(project, lambda session: session.execute(acts_of(1, datetime.now(UTC))).all())
    assert any("ix_annotation_saved_at" in step for step in plans[0]), plans
    assert not any("TEMP B-TREE" in step for step in plans[0]), plans


def test_a_name_is_not_run_as_a_formula(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    with project.database.write() as session:
        session.execute(update(Person).where(Person.id == ann.id).values(name='=HYPERLINK("x"),\n1'))
    lines = "".join(csv_lines(timesheet.cells(sheet(project, lead))))
    header, row = csv.reader(io.StringIO(lines.removeprefix("\ufeff")))
    assert header == list(timesheet.COLUMNS)
    assert row[0] == '\'=HYPERLINK("x"),\n1'
    assert row[1:3] == ["2026-01-05", "1"]


def test_the_command_prints_a_table_for_machines(project: Project, lead: Account, ann: Account) -> None:
    ready_queue(project, lead)
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    printed = json.loads(run(project, "timesheet", "--json").stdout)
    assert [day["labelled"] for day in printed["days"]] == [1]
    assert printed["skipped_posts"] == {"waiting": 0, "queued": 0}
    file = project.home / "out.csv"
    quiet = run(project, "timesheet", "--since", "2026-01-01", "--out", str(file))
    assert quiet.exit_code == 0
    assert "All skipped posts are labelled by now." in quiet.stderr
    assert file.read_text("utf-8").startswith("\ufeffperson,day,labelled")
    assert run(project, "timesheet", "--since", "2027-01-01").stdout == ",".join(timesheet.COLUMNS) + "\n"
    assert run(project, "timesheet", "--since", "yesterday").exit_code == 1


@dataclass(frozen=True)
class Act:
    post: int
    kind: str
    label: str
    wait: int


ACTS = st.lists(
    st.builds(
        Act,
        post=st.integers(1, 3),
        kind=st.sampled_from(["label", "label", "skip", "ask", "undo", "propagated", "flag"]),
        label=st.sampled_from(["normal", "violation"]),
        wait=st.integers(0, 40_000),
    ),
    max_size=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(ACTS)
def test_plain_python_comes_to_the_same(
    project: Project, lead: Account, ann: Account, acts: list[Act]
) -> None:
    """The expected figures come from each post's state, tracked while the actions are written."""
    with project.database.read() as session:
        is_new = (
            session.get(Annotation, 1) is None
            and not session.scalars(text("SELECT 1 FROM post LIMIT 1")).all()
        )
    if is_new:
        import_texts(project, lead, different_texts(3))
        with project.database.write() as session:
            session.execute(text("DROP TRIGGER annotation_no_delete"))
    expected: dict[date, dict[str, float]] = {}
    state: dict[int, tuple[int, str, str | None, bool]] = {}
    at, rows = datetime(2026, 1, 5, tzinfo=UTC), []

    def count(figure: str, by: float = 1) -> None:
        day = expected.setdefault(at.date(), dict.fromkeys(COUNTED, 0))
        day[figure] += by

    for act in acts:
        at += timedelta(seconds=act.wait)
        last, action, label, is_flagged = state.get(act.post, (None, "undo", None, False))
        is_first = action == "undo"
        if act.kind in {"undo", "flag"} and is_first:
            continue
        new_action = {"ask": "skip", "propagated": "label", "flag": action}.get(act.kind, act.kind)
        new_label = {"label": act.label, "propagated": act.label, "flag": label}.get(act.kind)
        flagged = act.kind in {"ask", "flag"}
        if act.kind == "propagated" and not is_first:
            continue
        if act.kind in {"skip", "ask"} and not is_first:
            continue
        if act.kind == "label" and not is_first and action == "skip":
            continue
        count("days", 0)
        took = act.wait % 200
        if act.kind == "undo":
            count("undone")
        elif act.kind == "propagated":
            count("propagated")
        elif act.kind == "flag":
            count("asked", not is_flagged)
        elif is_first:
            count({"label": "labelled", "skip": "skipped", "ask": "asked"}[act.kind])
            count("seconds", took if took <= IDLE_SECONDS else 0)
        else:
            count("changed", act.label != label)
        rows.append(
            Annotation(
                id=len(rows) + 1,
                post_id=act.post,
                person_id=ann.id,
                action=new_action,
                label=new_label,
                label_set_id=1,
                is_flagged=flagged,
                origin="propagated" if act.kind == "propagated" else "person",
                supersedes_id=last,
                shown_at=at - timedelta(seconds=took),
                saved_at=at,
            )
        )
        state[act.post] = (len(rows), new_action, new_label, flagged)
    with project.database.write() as session:
        session.execute(delete(Annotation))
        session.add_all(rows)
    actual = {
        day.day: {name: getattr(day, name) for name in COUNTED if name not in {"days", "seconds"}}
        | {"days": 0, "seconds": day.minutes}
        for day in sheet(project, lead)
    }
    assert actual == {
        day: {**figures, "seconds": round(figures["seconds"] / 60, 1)} for day, figures in expected.items()
    }


COUNTED = ("labelled", "skipped", "asked", "changed", "undone", "propagated", "days", "seconds")
