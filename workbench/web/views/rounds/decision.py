"""A lead's decision: on a round that waits for one, or on any measured round against or after another decision."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from workbench.accounts import Account
from workbench.rounds import lifecycle
from workbench.web.current_project import project
from workbench.web.elements.widgets import attempt, heading, note
from workbench.web.wording.i18n import _
from workbench.web.wording.messages import shown_as_stored
from workbench.web.wording.words import OUTCOME_WORDS


def decide(waiting: Sequence[dict[str, Any]], is_lead: bool) -> None:
    for entry in waiting:
        heading(_("Round {number} waits for a decision").format(number=entry["number"]))
        for line in verdict_lines(entry):
            note(line)
        if is_lead:
            _buttons(entry["number"])


def verdict_lines(entry: dict[str, Any]) -> list[str]:
    verdict = entry["verdict"]
    if verdict is None:
        return []
    lines = list(map(shown_as_stored, (*verdict["reasons"], *verdict["warnings"])))
    if verdict["outcome"] not in OUTCOME_WORDS:
        return lines
    outcome = _(OUTCOME_WORDS[verdict["outcome"]])
    return [_("Compared with the one in use: {outcome}.").format(outcome=outcome), *lines]


def offer(entry: dict[str, Any]) -> None:
    """A button that puts a measured round in use which is neither in use nor waiting for a decision."""
    if not entry["evaluated"] or entry["in_use"] or entry["state"] == "awaiting":
        return
    number = entry["number"]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(_("Why it should be in use"), key=f"reason-{number}", max_chars=200)
        st.button(_("Put in use"), key=f"promote-{number}", on_click=_promote, args=(number, None))


def _buttons(number: int) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(_("Reason"), key=f"reason-{number}", max_chars=200)
        st.button(
            _("Put in use"),
            key=f"promote-{number}",
            type="primary",
            on_click=_promote,
            args=(number, "awaiting"),
        )
        st.button(_("Don't use"), key=f"reject-{number}", on_click=_reject, args=(number,))


def _promote(number: int, expected_state: str | None) -> None:
    def promote(account: Account) -> None:
        lifecycle.promote(project(), account, number, _reason(number), expected_state=expected_state)

    attempt(promote)


def _reject(number: int) -> None:
    def reject(account: Account) -> None:
        lifecycle.reject(project(), account, number, _reason(number))

    attempt(reject)


def _reason(number: int) -> str | None:
    return st.session_state[f"reason-{number}"].strip() or None
