"""Answers to check posts behave as others do on the page, and change nothing but the measurement."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from db.queries.checks import standing_checks
from db.tables import Annotation, CheckAnswer, Claim, QueueEntry, Resolution
from tests.conftest import Clock, member
from tests.workbench.making import (
    add_decision,
    add_label,
    make_champion,
    posts_of,
    ready_queue,
    serve_checks,
    settle_posts,
)
from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import LabellingError
from workbench.exports.jsonl import labelled_posts
from workbench.labelling import answers, checks, pace, timesheet
from workbench.project import Project
from workbench.purging.rows import delete_posts
from workbench.queue.check_posts import KINDS, OWN_AFTER
from workbench.queue.status import read_status
from workbench.review import cases, comments, resolutions
from workbench.review.agreement import read_agreement

MADE_UP = "not a label"


@pytest.fixture
def desk(project: Project, lead: Account, ann: Account, clock: Clock) -> Project:
    """Every post served to Ann is gold or one of her own, until there is none left."""
    ready_queue(project, lead, 90)
    make_champion(project, lead, np.tile([0.1, 0.42, 0.48], (90, 1)))
    for post in posts_of(project, "pool")[:5]:
        add_label(project, ann, post, "normal", guideline_version=1)
    clock.moment += OWN_AFTER
    settle_posts(project, lead, 30)
    serve_checks(project)
    return project


def first(project: Project, account: Account) -> answers.Card:
    return answers.hold_posts(project, account)[0]


def standing(project: Project, account: Account) -> list[CheckAnswer]:
    with project.database.read() as session:
        return list(session.scalars(standing_checks(account.id)))


def rows_of(project: Project) -> list[CheckAnswer]:
    with project.database.read() as session:
        return list(session.scalars(select(CheckAnswer).order_by(CheckAnswer.id)))


def is_check(project: Project, account: Account) -> bool:
    post = first(project, account).post_id
    with project.database.read() as session:
        claims = session.scalars(select(Claim).where(Claim.person_id == account.id, Claim.post_id == post))
        return [claim.lane in KINDS for claim in claims] == [True]


def test_an_answer_is_held_against_the_label_in_force(desk: Project, lead: Account, ann: Account) -> None:
    card = first(desk, ann)
    saved = answers.submit(desk, ann, card.post_id, "normal", note="why")
    (row,) = standing(desk, ann)
    with desk.database.read() as session:
        settled = resolutions.decision_on(session, card.post_id)
    assert row.expected == (settled.label if settled else "normal")
    assert (row.post_id, row.label, row.note, row.action) == (card.post_id, "normal", "why", "label")
    assert (row.guideline_version, row.was_suggestion_visible) == (1, False)
    assert row.shown_at == row.saved_at == desk.now()
    assert saved == answers.recent_answers(desk, ann)[0]


def test_it_is_acknowledged_as_a_second_opinion(desk: Project, ann: Account) -> None:
    saved = answers.submit(desk, ann, first(desk, ann).post_id, "normal")
    assert (saved.lane, saved.is_second_opinion, saved.copies, saved.propagated) == (
        "second_opinion",
        True,
        0,
        0,
    )
    assert saved.suggestion is not None
    assert saved.suggestion.label == "violation"
    skipped = answers.skip(desk, ann, first(desk, ann).post_id)
    assert (skipped.label, skipped.suggestion) == (None, None)


def test_the_models_view_is_there_without_a_queue_entry_too(desk: Project, ann: Account) -> None:
    with desk.database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM queue_entry WHERE is_answered")
    card = first(desk, ann)
    assert card.suggestion is None
    saved = answers.submit(desk, ann, card.post_id, "normal")
    assert saved.suggestion is not None
    assert saved.suggestion.probabilities["violation"] == pytest.approx(0.48)
    settings = desk.settings.model_copy(update={"show_suggestion": True})
    object.__setattr__(desk, "settings", settings)
    assert first(desk, ann).suggestion is not None
    answers.submit(desk, ann, first(desk, ann).post_id, "normal")
    assert [row.was_suggestion_visible for row in rows_of(desk)] == [False, True]


def test_a_second_press_is_refused_as_of_any_post(desk: Project, ann: Account) -> None:
    post = first(desk, ann).post_id
    answers.submit(desk, ann, post, "normal")
    for again in (answers.submit, lambda *given: answers.skip(*given[:3])):
        with pytest.raises(LabellingError, match="answered this post already"):
            again(desk, ann, post, "violation")
    with pytest.raises(LabellingError, match="no label"):
        answers.submit(desk, ann, first(desk, ann).post_id, MADE_UP)
    assert len(rows_of(desk)) == 1


def test_undo_brings_the_post_and_its_note_back(desk: Project, ann: Account, clock: Clock) -> None:
    posts = []
    for label in ("normal", "violation"):
        posts.append(first(desk, ann).post_id)
        answers.submit(desk, ann, posts[-1], label, note=f"note on {label}")
        clock.move(seconds=5)
    for post, label in ((posts[1], "violation"), (posts[0], "normal")):
        assert answers.undo(desk, ann) == post
        card = first(desk, ann)
        assert (card.post_id, card.note) == (post, f"note on {label}")
    assert standing(desk, ann) == []
    assert [row.action for row in rows_of(desk)] == ["label", "label", "undo", "undo"]


def test_undo_takes_check_posts_and_others_in_the_order_of_their_answers(
    desk: Project, ann: Account, clock: Clock
) -> None:
    order = []
    for share in (100, 0, 0, 100, 0):
        answers.release(desk, ann)
        serve_checks(desk, share)
        order.append(first(desk, ann).post_id)
        answers.submit(desk, ann, order[-1], "normal")
        clock.move(seconds=3)
    assert [answers.undo(desk, ann) for _ in order] == order[::-1]


def test_the_answer_before_the_models_view_is_kept(desk: Project, ann: Account, clock: Clock) -> None:
    saved = answers.submit(desk, ann, first(desk, ann).post_id, "normal")
    changed = checks.change(desk, ann, saved.annotation_id, "violation")
    assert (changed.label, changed.is_check, changed.lane) == ("violation", True, "second_opinion")
    assert checks.change(desk, ann, changed.annotation_id, "violation").annotation_id == changed.annotation_id
    reasoned = checks.give_reason(desk, ann, changed.annotation_id, "辱骂")
    assert (reasoned.label, reasoned.reason) == ("violation", "辱骂")
    with pytest.raises(LabellingError, match="changed already"):
        checks.change(desk, ann, saved.annotation_id, "normal")
    with pytest.raises(LabellingError, match="no label"):
        checks.change(desk, ann, reasoned.annotation_id, MADE_UP)
    assert [(row.label, row.was_suggestion_visible) for row in rows_of(desk)] == [
        ("normal", False),
        ("violation", True),
        ("violation", True),
    ]
    answers.undo(desk, ann)
    answers.submit(desk, ann, first(desk, ann).post_id, "suspicious")
    assert rows_of(desk)[-1].was_suggestion_visible


def test_a_skip_has_no_answer_to_change_and_another_persons_is_out_of_reach(
    desk: Project, ann: Account, ben: Account
) -> None:
    skipped = answers.skip(desk, ann, first(desk, ann).post_id)
    with pytest.raises(LabellingError, match="no answer to change"):
        checks.change(desk, ann, skipped.annotation_id, "normal")
    with pytest.raises(LabellingError, match="changed already"):
        checks.give_reason(desk, ben, skipped.annotation_id, "其他")


def test_a_late_answer_is_kept(desk: Project, ann: Account, ben: Account, clock: Clock) -> None:
    card = first(desk, ann)
    clock.move(minutes=desk.settings.claim_minutes + 1)
    with desk.database.write() as session:
        session.connection().exec_driver_sql(
            f"INSERT INTO lapsed_claim SELECT post_id, person_id, lane, shown_at FROM claim"
            f" WHERE post_id = {card.post_id}"
        )
        session.connection().exec_driver_sql(f"DELETE FROM claim WHERE post_id = {card.post_id}")
    assert answers.hold_posts(desk, ann, on_screen=card.post_id)[0].is_late
    assert answers.submit(desk, ann, card.post_id, "normal").is_late
    assert [row.post_id for row in standing(desk, ann)] == [card.post_id]


def test_a_label_withdrawn_while_the_post_is_on_screen_is_nothing_to_measure_against(
    desk: Project, lead: Account, ann: Account
) -> None:
    while (post := first(desk, ann).post_id) in posts_of(desk, "pool")[:5]:
        answers.submit(desk, ann, post, "normal")
    add_decision(desk, lead, post, None)
    answers.submit(desk, ann, post, "violation")
    row = standing(desk, ann)[0]
    assert (row.post_id, row.kind, row.expected, row.label) == (post, "gold", None, "violation")


def test_a_question_about_a_settled_post_reaches_the_lead(
    desk: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    post = first(desk, ann).post_id
    clock.move(minutes=1)
    answers.ask_lead(desk, ann, post, note="is it?")
    (case,) = cases.open_cases(desk, lead)
    assert (case.post_id, case.is_flagged) == (post, True)
    comments.say(desk, lead, post, "which part?")
    assert [one.post_id for one in comments.waiting_discussions(desk, ann)] == [post]
    assert [(one.label, one.note, one.name) for one in case.opinions if one.note] == [(None, "is it?", None)]
    assert cases.resolved_case(desk, lead, post) is None
    clock.move(minutes=1)
    resolutions.resolve(desk, lead, post, "violation", instead_of=case.decision_id)
    assert cases.open_cases(desk, lead) == []
    resolved = cases.resolved_case(desk, lead, post)
    assert resolved is not None
    assert "Ann" in {one.name for one in resolved.opinions}


def test_a_labelled_check_post_can_be_flagged_and_the_question_withdrawn(
    desk: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    clock.move(minutes=1)
    saved = answers.submit(desk, ann, first(desk, ann).post_id, "suspicious")
    assert cases.open_cases(desk, lead) == []
    flagged = checks.flag(desk, ann, saved.annotation_id)
    assert flagged.is_flagged
    (case,) = cases.open_cases(desk, lead)
    assert "suspicious" in {one.label for one in case.opinions}
    answers.undo(desk, ann)
    assert cases.open_cases(desk, lead) == []


def test_the_day_counts_them_for_the_person_and_not_for_the_team(
    desk: Project, lead: Account, ann: Account, clock: Clock
) -> None:
    midnight = desk.now().replace(hour=0)
    for take in (10, 20):
        post = first(desk, ann).post_id
        clock.move(seconds=take)
        answers.submit(desk, ann, post, "normal")
    with desk.database.read() as session:
        day = pace.today(session, ann.id, desk.now(), midnight)
    assert (day.labelled, day.checked) == (0, 2)
    (row,) = timesheet.timesheet(desk, lead, since=midnight.date(), zone=ZoneInfo("UTC"))
    assert (row.labelled, row.checked, row.minutes) == (0, 2, 0.5)


def test_a_purge_removes_them(desk: Project, ann: Account) -> None:
    post = first(desk, ann).post_id
    answers.submit(desk, ann, post, "normal")
    with desk.database.write() as session:
        assert delete_posts(session, [post])["check answers"] == 1
    assert rows_of(desk) == []


@dataclass(frozen=True)
class Act:
    kind: str
    label: str = "normal"


acts = st.lists(
    st.builds(
        Act,
        st.sampled_from(
            ["submit", "submit", "skip", "ask", "undo", "change", "reason", "flag", "again", "note", "wait"]
        ),
        st.sampled_from(LABELS),
    ),
    min_size=3,
    max_size=14,
)


def everything_but_the_measurement(project: Project, lead: Account) -> Sequence[Any]:
    with project.database.read() as session:
        rows = [
            [
                tuple(getattr(row, column.name) for column in table.__table__.columns)
                for row in session.scalars(select(table))
            ]
            for table in (Annotation, Resolution, QueueEntry)
        ]
        training = [(post.line, post.group_id) for post in labelled_posts(session, 1)]
        left = answers.count_left(session)
    days = [
        (day.person, day.day, day.labelled, day.skipped, day.asked, day.changed, day.undone)
        for day in timesheet.timesheet(project, lead, zone=ZoneInfo("UTC"))
        if day.labelled
    ]
    status = read_status(project)
    return rows, training, left, days, status.labelled, status.labels, read_agreement(project, lead)


def act_on(project: Project, ann: Account, act: Act, clock: Clock) -> None:
    post, last = first(project, ann).post_id, next(iter(answers.recent_answers(project, ann)), None)
    match act.kind:
        case "submit":
            answers.submit(project, ann, post, act.label)
        case "skip":
            answers.skip(project, ann, post, note="no")
        case "ask":
            answers.ask_lead(project, ann, post)
        case "note":
            answers.keep_draft(project, ann, post, "a note")
        case "wait":
            clock.move(minutes=30)
        case _ if last is None or not last.is_check:
            return
        case "undo":
            answers.undo(project, ann)
        case "change":
            checks.change(project, ann, last.annotation_id, act.label)
        case "reason":
            checks.give_reason(project, ann, last.annotation_id, "其他")
        case "flag":
            checks.flag(project, ann, last.annotation_id)
        case "again":
            answers.submit(project, ann, last.post_id, act.label)


@pytest.mark.long
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts)
def test_whatever_is_done_with_check_posts_changes_no_label_and_no_count(
    desk: Project, lead: Account, clock: Clock, acts: list[Act]
) -> None:
    newcomer = member(desk, f"at {clock.moment:%d %H:%M:%S}", "annotator")
    for post in posts_of(desk, "pool")[:3]:
        saved_at = clock.moment - OWN_AFTER
        add_label(desk, newcomer, post, "normal", guideline_version=1, slot=1, saved_at=saved_at)
    before, answered = everything_but_the_measurement(desk, lead), len(rows_of(desk))
    assert is_check(desk, newcomer)
    for act in acts:
        clock.move(seconds=7)
        with suppress(LabellingError):
            act_on(desk, newcomer, act, clock)
        assert is_check(desk, newcomer)
    assert everything_but_the_measurement(desk, lead) == before
    rows = rows_of(desk)
    assert len(rows) >= answered, "none is lost"
    superseded = [row.supersedes_id for row in rows if row.supersedes_id is not None]
    assert len(superseded) == len(set(superseded)), "none is overwritten"
    answers.release(desk, newcomer)
    for case in cases.open_cases(desk, lead):
        if case.decision_id is not None:  # a question about gold, which waits until it is gold again
            resolutions.resolve(desk, lead, case.post_id, "normal", instead_of=case.decision_id)
