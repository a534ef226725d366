"""Label: one post, three keys. A key press reruns only the fragment `show_desk`."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from secrets import token_hex

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from workbench.accounts import Account, Right
from workbench.errors import LabellingError, WorkbenchError
from workbench.labelling import answers, checks, pace
from workbench.labelling.cards import Card, Copy, Saved
from workbench.review.comments import count_waiting
from workbench.web.current_project import project
from workbench.web.elements import desk
from workbench.web.elements.comments.waiting import renew_if_changed
from workbench.web.elements.widgets import local, refusal, require_account
from workbench.web.identity import current_account
from workbench.web.views.label import nothing_to_label, rail, replies
from workbench.web.wording.i18n import _
from workbench.web.wording.refusals import refusal_text


@dataclass
class Desk:
    """State of one browser tab. An answer counts only for the post and turn it was given in."""

    person_id: int
    answers: list[Saved]
    """The last answers, the latest act first."""
    session: str = field(default_factory=partial(token_hex, 8))
    """Tells the browser that turns count from the beginning, after a restart of the server."""
    turn: int = 0
    shown: int | None = None
    preview: list[Copy] = field(default_factory=list)
    """Near-copies on screen, waiting for the second press that confirms."""
    notice: str | None = None
    taken_back: int | None = None
    """The post whose answer was just undone."""
    days_before: tuple[datetime, int] | None = None
    """The start of a day, and the days in a row before it."""
    cards: desk.Drawn = field(default_factory=dict)
    """Cards as drawn for the browser."""

    def remember(self, saved: Saved) -> None:
        others = [
            one for one in self.answers if (one.post_id, one.is_check) != (saved.post_id, saved.is_check)
        ]
        self.answers = [saved, *others][: answers.RECENT]


def show() -> None:
    account = require_account()
    state: Desk | None = st.session_state.get("desk")
    if state is None or state.person_id != account.id:
        st.session_state["desk"] = Desk(account.id, answers.recent_answers(project(), account))
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
    empty = None if cards else nothing_to_label.explanation(account)
    with project().database.read() as session:
        # The comments that wait for leads are on the Review page.
        waiting = None if account.may(Right.REVIEW) else count_waiting(session, account)
        desk.draw(
            session,
            cards,
            drawn=state.cards,
            around={
                "session": state.session,
                "turn": state.turn,
                "person": account.id,
                "notice": state.notice,
                "empty": empty,
                "progress": rail.progress(
                    session,
                    account,
                    _midnight(),
                    days_before=_days_before(session, state),
                    waiting=waiting or 0,
                ),
                "answers": rail.recent(session, state.answers, state.preview),
            },
            on_press=_on_press,
            on_draft=_on_draft,
        )
    if not cards:
        nothing_to_label.look_again()
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


def _days_before(session: Session, state: Desk) -> int:
    """Counted once a day: it is a query for each day."""
    midnight = _midnight()
    if state.days_before is None or state.days_before[0] != midnight:
        state.days_before = midnight, pace.days_before(session, state.person_id, midnight)
    return state.days_before[1]


def _midnight() -> datetime:
    """Start of the day in the reader's time zone."""
    return local(project().now()).replace(hour=0, minute=0, second=0, microsecond=0)


def _on_press() -> None:
    press = desk.pressed()
    if press is not None:
        _act(press)


def _on_draft() -> None:
    """Keep the note that is being written. An error must not hide the post."""
    drafted, account = desk.drafted(), current_account()
    if drafted is None or account is None:
        return
    try:
        answers.keep_draft(project(), account, *drafted)
    except WorkbenchError as error:
        _state().notice = refusal_text(error)


def _act(press: desk.Press) -> None:
    """Carry out an action, unless the card has changed since it was shown."""
    state, account = _state(), current_account()
    is_as_drawn = press.turn == state.turn and press.post == state.shown
    if account is None or account.id != state.person_id or not is_as_drawn:
        return
    state.turn += 1
    state.notice = None
    preview, state.preview = state.preview, []
    try:
        _do(state, account, press, preview)
    except WorkbenchError as error:
        state.notice = refusal_text(error)
        # The answer may have been changed elsewhere.
        state.answers = answers.recent_answers(project(), account)
    except SQLAlchemyError:
        logging.exception("an answer could not be saved")
        state.notice = _("Not saved: the database did not answer. Press again.")


LEAVES = ("answer", "skip", "ask")
"""Actions that bring the next post."""
AMENDMENTS = ("change", "reason", "flag", "copies")
"""Actions on one of the last answers."""


def _do(state: Desk, account: Account, press: desk.Press, preview: Sequence[Copy]) -> None:
    command, _space, subject = press.action.partition(" ")
    if command in LEAVES and state.shown is not None:
        answered, state.shown = state.shown, None
        state.remember(_answered(account, answered, command, subject, press.note))
        return
    if press.note and state.shown is not None:
        answers.keep_draft(project(), account, state.shown, press.note)
    if command == "undo":
        state.taken_back = answers.undo(project(), account)
        state.answers = answers.recent_answers(project(), account)
    elif command == "bring-back":
        answers.bring_back_skipped(project(), account)
        state.answers = answers.recent_answers(project(), account)
    elif command == "copies":
        _copy(state, account, _chosen(state, press), preview)
    elif command in AMENDMENTS:
        state.remember(_amended(account, _chosen(state, press), command, subject))


def _answered(account: Account, post_id: int, command: str, label: str, written: str | None) -> Saved:
    if command == "answer":
        return answers.submit(project(), account, post_id, label, note=written)
    if command == "skip":
        return answers.skip(project(), account, post_id, note=written)
    return answers.ask_lead(project(), account, post_id, note=written)


def _chosen(state: Desk, press: desk.Press) -> Saved:
    """The answer that the action is about. Its place alone could mean another one than the person sees."""
    if press.answer < len(state.answers) and state.answers[press.answer].post_id == press.of:
        return state.answers[press.answer]
    raise LabellingError("There is no answer to change. Press U to go back to earlier ones.")


def _amended(account: Account, chosen: Saved, command: str, subject: str) -> Saved:
    if command == "change":
        change = checks.change if chosen.is_check else answers.change
        return change(project(), account, chosen.annotation_id, subject)
    if command == "reason":
        give_reason = checks.give_reason if chosen.is_check else answers.give_reason
        return give_reason(project(), account, chosen.annotation_id, subject)
    flag = checks.flag if chosen.is_check else answers.flag
    return flag(project(), account, chosen.annotation_id)


def _copy(state: Desk, account: Account, chosen: Saved, preview: Sequence[Copy]) -> None:
    if preview:
        wanted = [copy.post_id for copy in preview]
        state.remember(answers.propagate(project(), account, chosen.annotation_id, wanted))
    elif chosen.copies:
        state.preview = answers.copies_of(project(), account, chosen.annotation_id)


def _state() -> Desk:
    state: Desk = st.session_state["desk"]
    return state
