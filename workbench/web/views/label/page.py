"""Label: one post, three keys. A key press reruns only the fragment `show_desk`."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import streamlit as st
from markupsafe import Markup
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from trainer.labels import LABELS
from workbench.accounts import Account, Right
from workbench.errors import LabellingError, WorkbenchError
from workbench.labelling import answers, checks, pace
from workbench.labelling.cards import Card, Copy, Saved
from workbench.review.comments import count_waiting
from workbench.web.current_project import project
from workbench.web.elements import desk, last_answer
from workbench.web.elements.comments.waiting import renew_if_changed
from workbench.web.elements.markup import NOTHING
from workbench.web.elements.widgets import local, note, refusal, require_account
from workbench.web.frame.title import title
from workbench.web.identity import current_account
from workbench.web.views.label import replies
from workbench.web.views.label.nothing_to_label import explain
from workbench.web.wording.i18n import _
from workbench.web.wording.refusals import refusal_text
from workbench.web.wording.words import label_word

KEYS_IN_CIRCLE = 16
"""Number of posts after which the buttons' widget keys repeat."""


@dataclass
class Desk:
    """State of one browser tab. An answer counts only for the post and turn it was given in."""

    person_id: int
    days_in_a_row: int
    turn: int = 0
    shown: int | None = None
    last: Saved | None = None
    preview: list[Copy] = field(default_factory=list)
    """Near-copies on screen, waiting for the second press that confirms."""
    notice: str | None = None
    taken_back: int | None = None
    """The post whose answer was just undone."""
    drawn: tuple[int | None, int] | None = None
    """The post and turn for which the buttons were drawn."""
    place: int = 0
    """Their position in the circle of widget keys."""
    cards: desk.Drawn = field(default_factory=dict)
    """Cards as drawn for the browser."""


def show() -> None:
    account = require_account()
    state: Desk | None = st.session_state.get("desk")
    if state is None or state.person_id != account.id:
        with project().database.read() as session:
            days = pace.days_in_a_row(session, account.id, _midnight())
        last = answers.last_answer(project(), account)
        st.session_state["desk"] = Desk(account.id, days, last=last)
    show_desk()
    if not account.may(Right.REVIEW):
        replies.show()


@st.fragment
def show_desk() -> None:
    account = require_account()
    state = _state()
    try:
        cards = answers.hold_posts(project(), account, on_screen=state.shown)
    except WorkbenchError as error:
        refusal(error)
        return
    _set_notice(state, cards)
    state.shown = cards[0].post_id if cards else None
    if state.drawn != (state.shown, state.turn):
        state.drawn, state.place = (state.shown, state.turn), (state.place + 1) % KEYS_IN_CIRCLE
    with project().database.read() as session:
        # The comments that wait for leads are on the Review page.
        waiting = None if account.may(Right.REVIEW) else count_waiting(session, account)
        title(_("Label"), _counts(session, account, waiting or 0))
        influential = last_answer.influential_words(session, state.last)
        desk.draw(
            session,
            cards,
            state.turn,
            drawn=state.cards,
            reasons=last_answer.reasons_for(state.last),
            on_press=_on_press,
            on_draft=_on_draft,
        )
    with st.container(key="answers"):
        if not cards:
            explain(account)
        _buttons(state, has_post=bool(cards))
        if state.notice:
            note(state.notice)
        if state.last is not None:
            last_answer.show(state.last, influential, state.preview, _presses(state))
    if waiting is not None:
        renew_if_changed(waiting)


def _set_notice(state: Desk, cards: Sequence[Card]) -> None:
    """Explain a post that is not simply the next one."""
    first = cards[0] if cards else None
    if first is not None and first.is_late:
        state.notice = _(
            "Your time for this post ran out and another annotator has it: your answer will be a second opinion."
        )
    elif state.taken_back is not None:
        is_back = first is not None and first.post_id == state.taken_back
        back, away = (
            _("Taken back. Here is the post again."),
            _("Taken back. Another annotator has the post open now."),
        )
        state.notice = back if is_back else away
    state.taken_back = None


def _buttons(state: Desk, *, has_post: bool) -> None:
    press = _presses(state)
    if has_post:
        with st.container(horizontal=True):
            for key, label in zip(project().settings.label_keys, LABELS, strict=True):
                press(_label_button(key.upper(), label), f"answer {label}", is_quiet=False)
    with st.container(horizontal=True):
        if has_post:
            press(_("S skip"), "skip")
            press(_("F ask the lead"), "ask")
        press(_("U undo"), "undo")


def _presses(state: Desk) -> last_answer.Press:
    def press(text: str, action: str, *, name: str | None = None, is_quiet: bool = True) -> None:
        st.button(
            text,
            # With a stable key, a second press would count for the next post. Keys repeat after a while, because
            # Streamlit keeps state for every key that a session has used.
            key=f"press-{name or action.replace(' ', '-')}-{state.place}",
            type="tertiary" if is_quiet else "secondary",
            width="content" if is_quiet else "stretch",
            on_click=_act,
            args=(state.shown, state.turn, action),
        )

    return press


def _label_button(key: str, label: str) -> str:
    word = label_word(label)
    return f"{key}  {word}" if word == label else f"{key}  {word} :gray[{label}]"


def _counts(session: Session, account: Account, waiting: int) -> Markup:
    left = answers.count_left(session)
    day = pace.today(session, account.id, project().now(), _midnight())
    shown = [
        ("left", _("left for the team: {count}").format(count=f"{left:,}")),
        ("today", _mine_today(day.labelled + day.checked, pace.daily_goal(session, project(), account.id))),
    ]
    if day.seconds_each is not None:
        shown.append(("pace", _("{seconds} s each").format(seconds=f"{day.seconds_each:.0f}")))
    if waiting:
        shown.append(("replies", _("answers for you: {count}, below").format(count=waiting)))
    if _state().days_in_a_row > 1:
        shown.append(("days", _("day {number} in a row").format(number=_state().days_in_a_row)))
    if day.wants_break:
        shown.append(
            (
                "break",
                _("{minutes} minutes in a row: time for a short break?").format(minutes=day.minutes_in_a_row),
            )
        )
    return NOTHING.join(Markup('<span data-count="{}">{}</span>').format(name, text) for name, text in shown)


def _mine_today(answers_given: int, goal: int) -> str:
    if not goal:
        return _("mine today: {count}").format(count=f"{answers_given:,}")
    return _("mine today: {count} of {goal}").format(count=f"{answers_given:,}", goal=f"{goal:,}")


def _midnight() -> datetime:
    """Start of the day in the reader's time zone."""
    return local(project().now()).replace(hour=0, minute=0, second=0, microsecond=0)


def _on_press() -> None:
    press = desk.pressed()
    if press is not None:
        _act(press.post, press.turn, press.action, press.note)


def _on_draft() -> None:
    """Keep the note that is being written. An error must not hide the post."""
    drafted, account = desk.drafted(), current_account()
    if drafted is None or account is None:
        return
    try:
        answers.keep_draft(project(), account, *drafted)
    except WorkbenchError as error:
        _state().notice = refusal_text(error)


def _act(post_id: int | None, turn: int, action: str, written: str | None = None) -> None:
    """Carry out an action, unless the card has changed since it was shown."""
    state, account = _state(), current_account()
    if account is None or account.id != state.person_id or turn != state.turn or post_id != state.shown:
        return
    state.turn += 1
    state.notice = None
    preview, state.preview = state.preview, []
    try:
        _do(state, account, action, written, preview)
    except WorkbenchError as error:
        state.notice = refusal_text(error)
    except SQLAlchemyError:
        logging.exception("an answer could not be saved")
        state.notice = _("Not saved: the database did not answer. Press again.")


def _do(state: Desk, account: Account, action: str, written: str | None, preview: Sequence[Copy]) -> None:
    command, _space, subject = action.partition(" ")
    if command in LEAVES and state.shown is not None:
        answered, state.shown = state.shown, None
        state.last = _answered(account, answered, command, subject, written)
        return
    if written and state.shown is not None:
        answers.keep_draft(project(), account, state.shown, written)
    if command == "undo":
        state.taken_back = answers.undo(project(), account)
        state.last = answers.last_answer(project(), account)
    elif command in AMENDMENTS:
        state.last = _amended(state, account, command, subject, preview)


LEAVES = ("answer", "skip", "ask")
"""Actions that bring the next post."""
AMENDMENTS = ("change", "reason", "flag", "copies")
"""Actions on the last answer."""


def _answered(account: Account, post_id: int, command: str, label: str, written: str | None) -> Saved:
    if command == "answer":
        return answers.submit(project(), account, post_id, label, note=written)
    if command == "skip":
        return answers.skip(project(), account, post_id, note=written)
    return answers.ask_lead(project(), account, post_id, note=written)


def _amended(
    state: Desk, account: Account, command: str, subject: str, preview: Sequence[Copy]
) -> Saved | None:
    last = state.last
    if last is None:
        raise LabellingError("There is no answer to change. Press U to go back to earlier ones.")
    if command == "change":
        change = checks.change if last.is_check else answers.change
        return change(project(), account, last.annotation_id, subject)
    if command == "reason":
        give_reason = checks.give_reason if last.is_check else answers.give_reason
        return give_reason(project(), account, last.annotation_id, subject)
    if command == "flag":
        flag = checks.flag if last.is_check else answers.flag
        return flag(project(), account, last.annotation_id)
    if preview:
        wanted = [copy.post_id for copy in preview]
        return answers.propagate(project(), account, last.annotation_id, wanted)
    if last.copies:
        state.preview = answers.copies_of(project(), account, last.annotation_id)
    return last


def _state() -> Desk:
    state: Desk = st.session_state["desk"]
    return state
