"""A lead's decision on a measured round: put it in use, or back in use, or do not use it, with a reason."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from workbench.accounts import Account
from workbench.rounds import lifecycle
from workbench.web.current_project import project
from workbench.web.elements.widgets import attempt
from workbench.web.wording.i18n import _
from workbench.web.wording.messages import shown_as_stored
from workbench.web.wording.words import OUTCOME_WORDS

OPENED = "opened-round"
"""In the session: the number of the round that is open in the table."""


def verdict_lines(entry: dict[str, Any]) -> list[str]:
    verdict = entry["verdict"]
    if verdict is None:
        return []
    lines = list(map(shown_as_stored, (*verdict["reasons"], *verdict["warnings"])))
    if verdict["outcome"] not in OUTCOME_WORDS:
        return lines
    outcome = _(OUTCOME_WORDS[verdict["outcome"]])
    return [_("Compared with the one in use: {outcome}.").format(outcome=outcome), *lines]


def decide(entry: dict[str, Any], earlier: int | None) -> None:
    """`earlier` is the round that a rollback leads to."""
    if not entry["evaluated"] or entry["in_use"]:
        return
    number, is_waiting = entry["number"], entry["state"] == "awaiting"
    with st.container(key=f"decision-{number}", horizontal=True, vertical_alignment="bottom"):
        st.text_input(_("Reason"), key=f"reason-{number}", max_chars=200)
        if number == earlier:
            st.button(_("Put back in use"), key="roll-back", on_click=_roll_back, args=(number,))
            return
        st.button(
            _("Put back in use") if entry["promoted"] else _("Put in use"),
            key=f"promote-{number}",
            type="primary" if is_waiting else "secondary",
            on_click=_promote,
            args=(number, "awaiting" if is_waiting else None),
        )
        if is_waiting:
            st.button(_("Don't use"), key=f"reject-{number}", on_click=_reject, args=(number,))


def _roll_back(number: int) -> None:
    _act(number, lambda account, reason: lifecycle.rollback(project(), account, number, reason))


def _promote(number: int, expected_state: str | None) -> None:
    def promote(account: Account, reason: str | None) -> None:
        lifecycle.promote(project(), account, number, reason, expected_state=expected_state)

    _act(number, promote)


def _reject(number: int) -> None:
    _act(number, lambda account, reason: lifecycle.reject(project(), account, number, reason))


def _act(number: int, decision: Callable[[Account, str | None], object]) -> None:
    """The round stays open, so that the lead sees what came of it."""
    st.session_state[OPENED] = number
    reason = st.session_state[f"reason-{number}"].strip() or None
    attempt(lambda account: decision(account, reason))
