"""The Review screen: opinions without names, three keys, and names and scores only after the decision."""

import json
from html import unescape
from typing import Any

import numpy as np
import pytest
import streamlit as st
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from db.tables import Post, PostGroup
from tests.conftest import Clock
from tests.workbench.making import add_label, make_champion, ready_queue
from tests.workbench.web.conftest import VisitAs
from workbench.accounts import Account
from workbench.labelling import answers
from workbench.project import Project
from workbench.review import cases, comments, resolutions
from workbench.review.doubts import write_doubts

HOSTILE = "![x](http://evil.example/x.png) <script>alert(1)</script>"


def screen() -> None:
    from workbench.web.views.review import page as review_page  # noqa: PLC0415 - AppTest runs this function's source alone

    review_page.show()


def open_screen() -> AppTest:
    app = AppTest.from_function(screen, default_timeout=10).run()
    assert not app.exception
    return app


def raw(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def shown(app: AppTest) -> str:
    return unescape(raw(app))


def keys(app: AppTest) -> dict[str, Any]:
    (component,) = app.get("bidi_component")
    data: dict[str, Any] = json.loads(component.proto.json)
    return data


def press(app: AppTest, action: str) -> None:
    name = f"choose-{action}-"
    next(button for button in app.button if button.key and button.key.startswith(name)).click().run()
    assert not app.exception


def decisions(project: Project) -> list[tuple[int, str | None, str | None]]:
    with project.database.read() as session:
        return [
            (row.post_id, row.label, row.reason)
            for row in session.scalars(resolutions.standing_resolutions())
        ]


@pytest.fixture
def asked(project: Project, lead: Account, ann: Account, visit_as: VisitAs) -> list[int]:
    ready_queue(project, lead, 40)
    make_champion(project, lead, np.tile([0.1, 0.42, 0.48], (40, 1)))
    notes = [HOSTILE, "second"]
    while notes:
        post = answers.hold_posts(project, ann)[0].post_id
        with project.database.read() as session:
            split = session.scalar(select(PostGroup.split).join(Post).where(Post.id == post))
        if split == "pool":
            answers.ask_lead(project, ann, post, note=notes.pop(0))
        else:
            answers.submit(project, ann, post, "normal")
    visit_as(lead)
    return [case.post_id for case in cases.open_cases(project, lead)]


def test_a_case_shows_no_name_and_nothing_of_the_model(asked: list[int]) -> None:
    page = shown(open_screen())
    assert "second" in page
    assert "Ann" not in page
    assert "0.48" not in page


def test_a_press_decides_and_then_names_and_the_models_view_are_told(
    project: Project, asked: list[int]
) -> None:
    app = open_screen()
    app.text_input(key=f"case-reason-{asked[0]}").set_value("a quotation")
    press(app, "answer-normal")
    assert decisions(project) == [(asked[0], "normal", "a quotation")]
    page = shown(app)
    assert "Last decision" in page
    assert "Ann" in page
    assert "0.48" in page
    assert keys(app)["subject"] == asked[1]


def test_hostile_notes_are_text(asked: list[int]) -> None:
    app = open_screen()
    press(app, "later")
    assert "<script>" not in raw(app)
    assert "&lt;script&gt;" in raw(app)


def test_a_key_of_an_earlier_turn_decides_nothing(project: Project, asked: list[int]) -> None:
    app = open_screen()
    app.session_state["chooser-cases"].turn += 1
    press(app, "answer-violation")
    assert decisions(project) == []


def test_undo_brings_the_case_back_first(project: Project, asked: list[int]) -> None:
    app = open_screen()
    press(app, "later")
    press(app, "answer-violation")
    assert decisions(project) == [(asked[1], "violation", None)]
    press(app, "undo")
    assert decisions(project) == []
    assert keys(app)["subject"] == asked[1]
    press(app, "undo")
    assert "There is nothing to undo." in shown(app)


def test_a_case_put_off_comes_last(asked: list[int]) -> None:
    app = open_screen()
    press(app, "later")
    assert keys(app)["subject"] == asked[1]
    press(app, "later")
    assert keys(app)["subject"] == asked[0]


def test_a_case_another_lead_has_decided_meanwhile_is_said(
    project: Project, lead: Account, asked: list[int]
) -> None:
    app = open_screen()
    resolutions.resolve(project, lead, asked[0], "normal")
    press(app, "answer-violation")
    assert decisions(project) == [(asked[0], "normal", None)]
    assert "decided meanwhile" in shown(app)


def test_a_decided_case_that_is_asked_about_anew_can_be_decided_anew(
    project: Project, lead: Account, ann: Account, asked: list[int], clock: Clock
) -> None:
    resolutions.resolve(project, lead, asked[0], "normal")
    clock.move(minutes=1)
    add_label(project, ann, asked[0], "violation", is_flagged=True)
    app = open_screen()
    assert keys(app)["subject"] == asked[0]
    assert "Ann" not in shown(app)
    press(app, "answer-violation")
    assert decisions(project) == [(asked[0], "violation", None)]
    assert "Ann" in shown(app)


def test_the_keys_are_those_of_the_settings(project: Project, asked: list[int]) -> None:
    mine = project.settings.model_copy(update={"label_keys": ("j", "h", "x")})
    object.__setattr__(project, "settings", mine)
    given = keys(open_screen())["keys"]
    assert {given[key] for key in "jhx"} == {"answer normal", "answer suspicious", "answer violation"}


def test_an_empty_list_says_so_and_an_annotator_sees_none(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    visit_as(lead)
    assert "Nothing waits here." in shown(open_screen())
    visit_as(ann)
    app = open_screen()
    assert "This page is for leads." in shown(app)
    assert not app.button


def open_section(app: AppTest, name: str) -> None:
    app.segmented_control(key="review-section").set_value(name).run()
    assert not app.exception


def test_a_doubtful_label_is_kept_or_changed_with_one_key(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 12)
    make_champion(project, lead, np.tile([0.6, 0.3, 0.1], (12, 1)))
    for post in (1, 2):
        add_label(project, ann, post, "normal")
    rows = np.array([[0.3, 0.6, 0.1], [0.1, 0.1, 0.8]])
    write_doubts(project.round_folder(1), ["p1", "p2"], ["normal"] * 2, rows)
    visit_as(lead)
    app = open_screen()
    open_section(app, "doubts")
    assert keys(app)["keys"]["k"] == "answer normal"
    assert (keys(app)["subject"], "0.80" in shown(app)) == (2, True)
    press(app, "answer-violation")
    press(app, "answer-normal")
    with project.database.read() as session:
        resolved = {
            (row.post_id, row.label, row.occasion)
            for row in session.scalars(resolutions.standing_resolutions())
        }
    assert resolved == {(2, "violation", "doubt"), (1, "normal", "doubt")}
    assert "No label is in doubt." in shown(app)
    press(app, "undo")
    assert keys(app)["subject"] == 1


def test_the_timesheet_shows_days_and_what_became_of_skipped_posts(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 12)
    answers.submit(project, ann, answers.hold_posts(project, ann)[0].post_id, "normal")
    answers.skip(project, ann, answers.hold_posts(project, ann)[0].post_id)
    visit_as(lead)
    app = open_screen()
    open_section(app, "timesheet")
    assert "1 skipped posts still wait for a label, 1 of them in the queue." in shown(app)
    assert not app.dataframe
    first = '<td>Ann</td><td class="number">2026-01-05</td><td class="number">1</td><td class="number">1</td>'
    assert first in shown(app)
    assert "/download/timesheet.csv?since=2025-12-30&zone=" in shown(app)


def test_a_lead_asks_back_below_a_case_without_learning_the_name(
    project: Project, lead: Account, ann: Account, asked: list[int]
) -> None:
    comments.say(project, ann, asked[0], HOSTILE)
    app = open_screen()
    assert "Ann" not in shown(app)
    assert "<script>" not in raw(app)
    app.text_area(key=f"comment-{asked[0]}").set_value("which number?")
    next(button for button in app.button if button.label == "Send").click().run()
    assert "which number?" in shown(app)
    assert [one.post_id for one in comments.waiting_discussions(project, ann)] == [asked[0]]


def test_comments_that_wait_are_counted_and_listed_until_they_are_read(
    project: Project, lead: Account, ann: Account, asked: list[int]
) -> None:
    for post in asked:
        comments.say(project, ann, post, f"about {post}")
    app = open_screen()
    assert "Comments (2)" in app.segmented_control(key="review-section").options
    open_section(app, "comments")
    assert all(f"about {post}" in shown(app) for post in asked)
    next(button for button in app.button if button.label == "Read, no answer needed").click().run()
    assert len(comments.waiting_discussions(project, lead)) == 1


def test_agreement_without_a_second_answer_says_so(lead: Account, visit_as: VisitAs) -> None:
    visit_as(lead)
    app = open_screen()
    open_section(app, "agreement")
    assert "No post has two answers yet" in shown(app)


def test_low_agreement_names_the_labels_and_leads_to_their_cases(
    project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 40)
    pairs = [("normal", "suspicious")] * 9 + [("normal", "violation")] * 2 + [("normal", "normal")] * 14
    for post, labels in enumerate(pairs, start=1):
        for who, label, slot in zip((ann, ben), labels, (0, 1), strict=True):
            add_label(project, who, post, label, slot=slot)
    visit_as(lead)
    app = open_screen()
    open_section(app, "agreement")
    page = shown(app)
    assert "People agree too little" in page
    assert "Most posts judged differently are “normal” against “borderline” (9)." in page
    assert "<td>Ann · Ben</td>" in page
    assert "Krippendorff" in page
    app.button(key="settle-pair").click().run()
    assert not app.exception
    assert "Only posts judged “normal” and “borderline”." in shown(app)
    assert "<b>9</b><span>judged differently</span>" in shown(app)
    app.button(key="all-cases").click().run()
    assert "<b>11</b><span>judged differently</span>" in shown(app)


def test_people_are_listed_by_name_and_a_week_after_themselves(
    project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock
) -> None:
    ready_queue(project, lead, 40)
    for post in range(1, 13):
        add_label(project, ben, post, "normal", suggestion="normal")
    add_label(project, ann, 20, "normal", suggestion="normal")
    clock.move(days=7)
    visit_as(lead)
    app = open_screen()
    open_section(app, "people")
    assert "Each person sees them first." in shown(app)
    clock.move(days=7)
    st.cache_data.clear()
    visit_as(lead)
    page = shown(app.run())
    assert page.index("<td>Ann</td>") < page.index("<td>Ben</td>")
    assert '<td>100% <small class="whole">76%–100% · 12</small></td>' in page
    assert "<td><small>too few: 1</small></td>" in page
