"""Label: one post, three keys. Only the card runs again when a key is pressed."""

from dataclasses import dataclass
from html import escape

import streamlit as st

from trainer.config import LABELS
from trainer.lanes import SECOND_OPINION
from workbench import labelling
from workbench.accounts import Account
from workbench.errors import LabellingError, WorkbenchError
from workbench.labelling import Card, Saved
from workbench.web import keys
from workbench.web.i18n import _
from workbench.web.identity import current_account
from workbench.web.opened import project
from workbench.web.refusals import said
from workbench.web.views.nothing_to_label import explain
from workbench.web.visible import post_html
from workbench.web.widgets import bar, local, note, refusal, require_account, shortened
from workbench.web.words import facts_word, label_html, label_word


@dataclass
class Desk:
    """What one browser tab shows. An answer counts only for the post and the turn it was given in."""

    turn: int = 0
    shown: int | None = None
    last: Saved | None = None
    notice: str | None = None


def show() -> None:
    """The screen."""
    desk()


@st.fragment
def desk() -> None:
    """Everything that changes with a key."""
    account = require_account()
    state = _state()
    try:
        cards = labelling.hold_posts(project(), account)
    except WorkbenchError as error:
        refusal(error)
        return
    state.shown = cards[0].post_id if cards else None
    bar(account, "/", _counts(account))
    if cards:
        _card(cards[0])
        _buttons(state, cards[0].post_id)
    else:
        explain(account)
    _last_line(state)
    keys.listen(state.shown, state.turn, _on_press)


def _card(card: Card) -> None:
    facts = [(facts_word(column), str(value)) for column, value in card.facts.items()]
    shown = [f"<span>{escape(word)} {escape(value)}</span>" for word, value in facts if word]
    if card.near_copies:
        shown.append(f"<span>{escape(_('near-copies: {count}').format(count=card.near_copies))}</span>")
    st.html(
        f'<div class="facts">{"".join(shown) or "&nbsp;"}</div>'
        f'<div class="post" dir="auto" lang="zh">{post_html(card.text)}</div>'
    )


def _buttons(state: Desk, post_id: int) -> None:
    with st.container(key="answers"):
        with st.container(horizontal=True):
            for number, label in enumerate(LABELS, start=1):
                with st.container(key=f"answer-{label}"):
                    _button(_label_button(number, label), state, post_id, label)
        with st.container(horizontal=True, vertical_alignment="center"):
            _button(_("S skip"), state, post_id, "skip", is_quiet=True)
            _button(_("U undo"), state, post_id, "undo", is_quiet=True)
            st.html(f'<span class="quiet">{escape(_("Shift with 1 2 3 changes your last answer."))}</span>')


def _button(text: str, state: Desk, post_id: int, action: str, *, is_quiet: bool = False) -> None:
    st.button(
        text,
        key=f"{action}-{post_id}",  # a stable key would take a second press as an answer to the next post
        type="tertiary" if is_quiet else "secondary",
        width="content" if is_quiet else "stretch",
        on_click=_act,
        args=(post_id, state.turn, action),
    )


def _label_button(number: int, label: str) -> str:
    word = label_word(label)
    return f"{number}  {word}" if word == label else f"{number}  {word} :gray[{label}]"


def _last_line(state: Desk) -> None:
    if state.notice:
        note(state.notice)
    elif state.last is not None:
        st.html(f'<div class="last" role="status">{_saved_html(state.last)}</div>')


def _saved_html(saved: Saved) -> str:
    text = escape(shortened(saved.text))
    if saved.label is None:
        return escape(_("last: skipped “{text}”")).format(text=text)
    line = escape(_("last: {label} on “{text}” saved ✓")).format(label=label_html(saved.label), text=text)
    if saved.lane == SECOND_OPINION:
        line += f" · {escape(_('a second opinion'))}"
    elif saved.is_second_opinion:
        line += f" · {escape(_('kept as a second opinion: somebody else had answered it'))}"
    if saved.suggestion is not None:
        thought = escape(_("model had said {label} {confidence}")).format(
            label=label_html(saved.suggestion.label), confidence=f"{saved.suggestion.confidence:.2f}"
        )
        line += f" · {thought}"
    return line


def _counts(account: Account) -> str:
    midnight = local(project().now()).replace(hour=0, minute=0, second=0, microsecond=0)
    with project().database.read() as session:
        left = sum(labelling.left_for_team(session).values())
        today = labelling.labelled_today(session, account, midnight)
    team = escape(_("left for the team: {count}").format(count=f"{left:,}"))
    mine = escape(_("mine today: {count}").format(count=f"{today:,}"))
    return f'<span data-count="left">{team}</span><span data-count="today">{mine}</span>'


def _on_press() -> None:
    press = keys.pressed()
    if press is not None:
        _act(press.post, press.turn, press.action)


def _act(post_id: int | None, turn: int, action: str) -> None:
    """Carry out an action, unless the card has changed since the person saw it."""
    state, account = _state(), current_account()
    if account is None or turn != state.turn or post_id != state.shown:
        return
    state.turn += 1
    state.notice = None
    try:
        _do(state, account, action)
    except WorkbenchError as error:
        state.notice = said(error)


def _do(state: Desk, account: Account, action: str) -> None:
    command, _space, label = action.partition(" ")
    if command == "undo":
        labelling.undo(project(), account)
        state.last, state.notice = None, _("Taken back. Here is the post again.")
    elif command == "change":
        if state.last is None:
            raise LabellingError("There is no answer to change. Press U to go back to earlier ones.")
        state.last = labelling.change(project(), account, state.last.annotation_id, label)
    elif state.shown is None:
        return
    elif command == "skip":
        state.last = labelling.skip(project(), account, state.shown)
    else:
        state.last = labelling.submit(project(), account, state.shown, command)


def _state() -> Desk:
    desk: Desk = st.session_state.setdefault("desk", Desk())
    return desk
