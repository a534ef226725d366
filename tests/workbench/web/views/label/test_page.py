"""The Label screen: one answer for the post on screen, and no model output before it."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from html import unescape
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from sqlalchemy import select
from sqlalchemy.orm import Session
from streamlit.runtime.context import StreamlitCookies
from streamlit.testing.v1 import AppTest

from db.tables import Annotation, CheckAnswer
from tests.conftest import Clock
from tests.workbench.assigning.making import queue_of_boards
from tests.workbench.making import (
    COPIES,
    add_decision,
    add_label,
    import_texts,
    make_champion,
    posts_of,
    ready_queue,
    settle_posts,
    write_tsv,
)
from tests.workbench.review.ruled import draft
from tests.workbench.web.conftest import VisitAs
from tests.workbench.web.desk import on_desk, open_screen, press
from workbench.accounts import Account
from workbench.assigning.assignments import assign_board
from workbench.assigning.goals import set_goal
from workbench.imports import intake
from workbench.imports.preparing import prepare
from workbench.imports.tsv import open_tsv
from workbench.labelling import answers, pace
from workbench.project import Project
from workbench.queue import swap
from workbench.review import comments, rulings
from workbench.web import current_project
from workbench.web.elements import desk as elements_desk

HOSTILE = "![x](http://evil.example/x.png) <script>alert(1)</script>"


def html_of(app: AppTest) -> str:
    return " ".join(element.proto.body for element in app.get("html"))


def shown(app: AppTest) -> str:
    """All texts of the page, in HTML and in what the desk draws, without what is the same for all posts."""
    (desk,) = app.get("bidi_component")
    data = {name: value for name, value in json.loads(desk.proto.json).items() if name not in FIXED}
    return " ".join([unescape(html_of(app)), *texts_in(data)])


FIXED = ("labels", "labelWords", "reasons", "words", "tools", "help")


def texts_in(data: Any) -> Iterator[str]:
    match data:
        case str():
            yield data
        case list():
            yield from chain.from_iterable(map(texts_in, data))
        case dict():
            yield from chain.from_iterable(map(texts_in, data.values()))


def latest(app: AppTest) -> dict[str, Any]:
    """The answer of the latest act, as drawn."""
    answer: dict[str, Any] = on_desk(app)["answers"][0]
    return answer


def text_of(card: dict[str, Any]) -> str:
    return "".join(text for _kind, text, _title in card["segments"])


def labels_of(project: Project, account: Account) -> int:
    with project.database.read() as session:
        return pace.today(session, account.id, project.now(), project.now().replace(hour=0)).labelled


@pytest.fixture
def queued(project: Project, lead: Account, ann: Account, visit_as: VisitAs) -> Project:
    ready_queue(project, lead, 12)
    visit_as(ann)
    return project


def test_a_press_saves_the_label_and_brings_the_next_post(queued: Project, ann: Account) -> None:
    app = open_screen()
    first = answers.hold_posts(queued, ann)[0]
    behind = text_of(on_desk(app)["next"])
    assert text_of(on_desk(app)["current"]) == first.text
    press(app, "answer violation")
    assert labels_of(queued, ann) == 1
    assert latest(app)["label"] == "violation"
    assert on_desk(app)["progress"]["today"] == ["1", ""]
    assert text_of(on_desk(app)["current"]) == answers.hold_posts(queued, ann)[0].text == behind


def test_a_goal_stands_beside_the_answers_of_today(queued: Project, lead: Account, ann: Account) -> None:
    set_goal(queued, lead, ann.id, goal=1_200, second_opinions=None)
    app = open_screen()
    press(app, "answer normal")
    progress = on_desk(app)["progress"]
    assert (progress["today"], progress["share"]) == (["1", "of 1,200"], 1 / 1_200)


def test_an_empty_desk_tells_of_boards_that_others_label(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    for board in queue_of_boards(project, lead).values():
        assign_board(project, lead, board, people=[lead.id])
    visit_as(ann)
    app = open_screen()
    while answers.hold_posts(project, ann):
        press(app, "answer normal")
    assert "45 of the posts left belong to boards that other people label." in shown(app)


def test_a_post_is_drawn_once_and_anew_when_something_about_it_changes(
    queued: Project, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, draw = Counter[int](), elements_desk._draw

    def see(session: Session, card: answers.Card) -> dict[str, Any]:
        drawn[card.post_id] += 1
        return draw(session, card)

    monkeypatch.setattr(elements_desk, "_draw", see)
    app = open_screen()
    for _ in range(3):
        press(app, "answer normal")
    assert set(drawn.values()) == {1}
    assert len(drawn) == 5  # three answered, the fourth shown, the fifth ready
    (current, following) = (on_desk(app)[name]["post"] for name in ("current", "next"))
    assert app.session_state["desk"].cards.keys() == {current, following}
    answers.keep_draft(queued, ann, following, "looks odd")
    press(app, "answer normal")
    assert on_desk(app)["current"]["note"] == "looks odd"
    assert drawn[following] == 2


def test_a_press_from_an_earlier_turn_is_not_an_answer(queued: Project, ann: Account) -> None:
    app = open_screen()
    press(app, "answer normal", turn=-1)
    assert labels_of(queued, ann) == 0


def test_a_press_for_another_post_than_the_one_shown_is_not_an_answer(queued: Project, ann: Account) -> None:
    app = open_screen()
    press(app, "answer normal", post=-1)
    assert labels_of(queued, ann) == 0


def test_each_of_the_last_ten_answers_and_its_reason_can_be_changed(queued: Project, ann: Account) -> None:
    app = open_screen()
    for _ in range(11):
        press(app, "answer normal")
    posts = [answer["post"] for answer in on_desk(app)["answers"]]
    assert len(posts) == answers.RECENT
    press(app, "change violation", place=6)
    press(app, "reason 辱骂")
    press(app, "reason 欺诈")
    first = on_desk(app)["answers"][0]
    assert (first["post"], first["label"], first["reason"]) == (posts[6], "violation", "欺诈")
    assert [answer["post"] for answer in on_desk(app)["answers"]] == [posts[6], *posts[:6], *posts[7:]]
    with queued.database.read() as session:
        acts = select(Annotation).where(Annotation.post_id == posts[6]).order_by(Annotation.id)
        rows = [(row.label, row.reason) for row in session.scalars(acts)]
    changed = [("normal", None), ("violation", None), ("violation", "辱骂"), ("violation", "欺诈")]
    assert rows == changed


def test_a_change_for_another_answer_than_the_one_at_its_place_is_refused(
    queued: Project, ann: Account
) -> None:
    app = open_screen()
    press(app, "answer normal")
    press(app, "change violation", of=-1)
    assert "There is no answer to change." in shown(app)
    assert answers.recent_answers(queued, ann)[0].label == "normal"


def test_an_answer_that_was_changed_elsewhere_is_shown_as_it_is_now(queued: Project, ann: Account) -> None:
    app = open_screen()
    press(app, "answer normal")
    (saved,) = answers.recent_answers(queued, ann)
    answers.change(queued, ann, saved.annotation_id, "suspicious")
    press(app, "change violation")
    assert "That answer has been changed already." in shown(app)
    assert on_desk(app)["answers"][0]["label"] == "suspicious"


def test_undo_brings_the_post_back_and_says_so(queued: Project, ann: Account) -> None:
    app = open_screen()
    first = answers.hold_posts(queued, ann)[0]
    press(app, "answer normal")
    press(app, "undo")
    assert text_of(on_desk(app)["current"]) == first.text
    assert "Taken back" in shown(app)
    press(app, "undo")
    assert "There is nothing to undo." in shown(app)


def test_a_skipped_post_goes_and_is_named(queued: Project, ann: Account) -> None:
    app = open_screen()
    first = answers.hold_posts(queued, ann)[0]
    press(app, "skip")
    assert text_of(on_desk(app)["current"]) != first.text
    assert (latest(app)["word"], latest(app)["label"]) == ("skipped", None)


def test_the_models_opinion_is_told_after_the_answer_and_never_of_a_held_out_post(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    ready_queue(project, lead, 40)
    make_champion(project, lead, np.tile([0.3, 0.5, 0.2], (40, 1)))
    visit_as(ann)
    app = open_screen()
    assert on_desk(app)["current"]["suggestion"] is None
    assert on_desk(app)["answers"] == []
    is_shown_by_lane: dict[str | None, set[bool]] = defaultdict(set)
    for _ in range(10):
        press(app, "answer normal")
        lane, answer = app.session_state["desk"].answers[0].lane, latest(app)
        is_shown_by_lane[lane].add(answer["thought"] is not None)
        assert answer["remarks"] == ["model unsure" if lane == "uncertain" else "drawn at random"]
    assert is_shown_by_lane == {"uncertain": {True}, "random": {True}, "held_out": {False}}


def test_only_known_facts_stand_beside_a_post(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs, tmp_path: Path
) -> None:
    row = {"id": "1", "text": "你好", "版块": "<b>闲聊</b>", "verdict": "deleted"}
    with open_tsv(write_tsv(tmp_path / "facts.tsv", [row])) as source:
        intake.import_rows(project, lead, source)
    prepare(project)
    swap.rebuild(project)
    visit_as(ann)
    app = open_screen()
    assert on_desk(app)["current"]["facts"] == [["board", [["text", "<b>闲聊</b>", ""]]]]
    assert "deleted" not in json.dumps(on_desk(app)) + html_of(app)


def test_an_empty_desk_says_why_and_what_to_do(
    project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs
) -> None:
    visit_as(ann)
    assert "There are no posts yet. Ask a lead to import some." in shown(open_screen())
    visit_as(lead)
    assert "Import a file on the Posts page." in shown(open_screen())
    import_texts(project, lead, ["一二三四五六七"])
    assert "1 posts are being prepared." in shown(open_screen())
    assert "No worker is running" in shown(open_screen())
    prepare(project)
    swap.rebuild(project)
    card = answers.hold_posts(project, ben)[0]
    assert "Ben has 1 of the posts left open, until" in shown(open_screen())
    answers.submit(project, ben, card.post_id, "normal")
    assert "has its label. Start a round on the Rounds page" in shown(open_screen())
    visit_as(ann)
    assert "has its label. A lead can start a round" in shown(open_screen())


def test_the_screen_speaks_chinese(queued: Project, ann: Account, visit_as: VisitAs) -> None:
    visit_as(ann, language="zh")
    app = open_screen()
    assert "全组剩余：12" in shown(app)
    assert on_desk(app)["labelWords"]["suspicious"] == "疑似"


def test_whoever_has_signed_out_sees_a_way_in_and_no_post(
    queued: Project, ann: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = open_screen()
    monkeypatch.setattr(type(st.context), "cookies", property(lambda _self: StreamlitCookies({})))
    app.run()
    assert "You are signed out." in html_of(app)
    assert not app.get("bidi_component")


def test_a_violation_may_be_given_a_reason_and_another_label_has_none(queued: Project) -> None:
    app = open_screen()
    press(app, "answer violation")
    assert ["5", "辱骂", "abuse"] in on_desk(app)["reasons"]["violation"]
    press(app, "reason 辱骂")
    assert latest(app)["reason"] == "辱骂"
    assert latest(app)["remarks"][0] == "abuse"
    press(app, "answer normal")
    assert on_desk(app)["reasons"].keys() == {"violation", "skip"}
    press(app, "change suspicious")
    assert latest(app)["word"] == "borderline"


def test_after_a_reload_the_last_answer_can_still_be_changed(queued: Project, ann: Account) -> None:
    press(open_screen(), "answer violation")
    again = open_screen()
    press(again, "change normal")
    last = answers.recent_answers(queued, ann)[0]
    assert last.label == "normal"


def test_asking_the_lead_says_so(queued: Project) -> None:
    app = open_screen()
    press(app, "ask")
    assert latest(app)["word"] == "asked the lead"
    press(app, "answer normal")
    press(app, "flag")
    assert "on the lead's list" in shown(app)


def test_near_copies_are_shown_before_they_are_given_the_answer(
    project: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    import_texts(project, lead, COPIES)
    prepare(project)
    swap.rebuild(project)
    visit_as(ann)
    app = open_screen()
    press(app, "answer violation")
    press(app, "copies")
    assert labels_of(project, ann) == 1
    assert sum(" ".join(text.split()) in shown(app) for text in COPIES) >= 2
    assert latest(app)["copiesWord"] == "Once more: violation for all 2"
    press(app, "copies")
    assert "and 2 near-copies" in shown(app)
    press(app, "undo")
    assert labels_of(project, ann) == 0


def test_skipped_posts_are_offered_again(queued: Project, ann: Account) -> None:
    while cards := answers.hold_posts(queued, ann):
        answers.skip(queued, ann, cards[0].post_id)
    app = open_screen()
    assert "You have skipped 12 of the posts left" in shown(app)
    assert on_desk(app)["empty"]["action"]["word"] == "Show me the 12 posts I have skipped"
    press(app, "bring-back")
    assert on_desk(app)["current"] is not None


def test_the_keys_are_those_of_the_settings(queued: Project) -> None:
    mine = queued.settings.model_copy(update={"label_keys": ("j", "h", "x")})
    object.__setattr__(queued, "settings", mine)
    app = open_screen()
    assert on_desk(app)["labels"] == {"j": "normal", "h": "suspicious", "x": "violation"}


def test_a_post_that_somebody_took_over_stays_and_the_page_says_so(
    queued: Project, ann: Account, ben: Account, clock: Clock
) -> None:
    app = open_screen()
    seen = text_of(on_desk(app)["current"])
    clock.move(minutes=queued.settings.claim_minutes + 1)
    assert seen in {card.text for card in answers.hold_posts(queued, ben)}
    app.run()
    assert text_of(on_desk(app)["current"]) == seen
    assert "Your time for this post ran out and another annotator has it" in shown(app)
    press(app, "answer normal")
    assert "kept as a second opinion" in shown(app)
    assert text_of(on_desk(app)["current"]) != seen


def test_a_leads_reply_is_counted_and_shown_below_and_can_be_answered(
    queued: Project, lead: Account, ann: Account
) -> None:
    app = open_screen()
    post = on_desk(app)["current"]["post"]
    press(app, "ask")
    assert not app.expander
    comments.say(queued, lead, post, HOSTILE)
    app.run()
    assert "answers for you: 1" in shown(app)
    assert app.expander[0].label == "Answers for you: 1"
    assert "<script>" not in html_of(app)
    assert "&lt;script&gt;" in html_of(app)
    app.text_area(key=f"comment-{post}").set_value("understood")
    send(app, "Send")
    assert app.text_area(key=f"comment-{post}").value == ""
    assert [one.post_id for one in comments.waiting_discussions(queued, lead)] == [post]
    assert "answers for you" not in shown(app)


def test_a_reply_that_needs_no_answer_can_be_put_away(queued: Project, lead: Account, ann: Account) -> None:
    app = open_screen()
    post = on_desk(app)["current"]["post"]
    press(app, "ask")
    comments.say(queued, lead, post, "see rule 3")
    app.run()
    send(app, "Read, no answer needed")
    assert comments.waiting_discussions(queued, ann) == []
    assert app.expander[0].label == "Your questions to the leads"
    assert "see rule 3" in shown(app)


def test_an_empty_comment_is_refused_in_words(queued: Project, lead: Account) -> None:
    app = open_screen()
    post = on_desk(app)["current"]["post"]
    press(app, "ask")
    comments.say(queued, lead, post, "see rule 3")
    app.run()
    send(app, "Send")
    assert "A comment needs 1 to 2000 characters." in shown(app)


def send(app: AppTest, text: str) -> None:
    next(button for button in app.button if button.label == text).click().run()
    assert not app.exception


def test_the_guidelines_list_the_rulings_below_the_default_text(
    queued: Project, lead: Account, ann: Account, visit_as: VisitAs
) -> None:
    case = posts_of(queued, "pool")[0]
    add_label(queued, lead, case, "normal", is_flagged=True)
    rulings.settle(queued, lead, draft(case, title=HOSTILE, words="", reason="辱骂"))
    visit_as(ann, language="zh")
    data = on_desk(open_screen())
    assert data["guidelines"].startswith("正常：无须处理。")
    assert "Rulings" not in data["guidelines"]
    assert data["rulings"] == [
        {
            "title": HOSTILE,
            "kind": "Part of a contact address is an advert.",
            "label": "violation",
            "word": "违规",
            "facts": "辱骂 · 2026-01-05",
        }
    ]


def test_a_check_post_looks_and_acts_like_a_second_opinion(
    project: Project, lead: Account, ann: Account, ben: Account, visit_as: VisitAs, clock: Clock
) -> None:
    ready_queue(project, lead, 60)
    make_champion(project, lead, np.tile([0.1, 0.42, 0.48], (60, 1)))
    for post in list(settle_posts(project, lead, 40))[20:]:
        # Of these Ann is asked for a second opinion, of the others the label is known.
        add_decision(project, lead, post, None)
        add_label(project, ben, post, "normal")
    with project.database.write() as session:
        session.connection().exec_driver_sql("UPDATE queue_entry SET is_answered = 1 WHERE post_id > 20")
    lines = {}
    for share, seconds in ((0, 1_000), (100, 10)):
        only = {"check_share": share, "second_opinion_share": seconds, "held_out_share": 0}
        object.__setattr__(project, "settings", project.settings.model_copy(update=only))
        current_project.project.cache_clear()
        answers.release(project, ann)
        visit_as(ann)
        app = open_screen()
        shown_first = {key: type(value) for key, value in on_desk(app)["current"].items()}
        post, today = on_desk(app)["current"]["post"], on_desk(app)["progress"]["today"][0]
        press(app, "answer violation")
        clock.move(seconds=2)
        line = latest(app)
        drawn = {key: type(value) for key, value in line.items()}
        counted = int(on_desk(app)["progress"]["today"][0]) - int(today)
        press(app, "change normal")
        press(app, "flag")
        flagged = "on the lead's list" in shown(app)
        press(app, "undo")
        is_back = on_desk(app)["current"]["post"] == post and "Here is the post again." in shown(app)
        lines[share] = (shown_first, drawn, line["remarks"], counted, flagged, is_back)
        assert "gold" not in html_of(app) + json.dumps(on_desk(app))
        press(app, "skip")
        clock.move(seconds=2)
    assert lines[0] == lines[100]
    assert lines[0][2:] == (["a second opinion"], 1, True, True)
    with project.database.read() as session:
        kinds = [row.kind for row in session.scalars(select(CheckAnswer))]
    assert kinds.count("gold") == len(kinds) == 5
