"""One decision at a time, by key or by button. A press counts only for the post and turn it was made in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import streamlit as st

from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.web.identity import current_account
from workbench.web.wording.refusals import refusal_text

_component = st.components.v2.component(
    "workbench_choice", js=Path(__file__).with_name("choice.js").read_text(encoding="utf-8")
)

T = TypeVar("T")
Act = Callable[[Account, int | None, str], None]
"""Carries out an action (`answer violation`, `undo`, ...) on the post that was shown."""


@dataclass
class Chooser:
    """State of one browser tab for a list that is decided post by post."""

    name: str
    turn: int = 0
    shown: int | None = None
    last: int | None = None
    """The post of the last decision."""
    first: int | None = None
    """The post of a decision that was just undone: it comes before all others."""
    later: list[int] = field(default_factory=list)
    """Posts deferred in this tab; they come last."""
    notice: str | None = None

    def choose(self, candidates: Mapping[int, T]) -> T | None:
        later = {post: place for place, post in enumerate(self.later)}
        self.shown = min(candidates, key=lambda post: (post != self.first, later.get(post, -1)), default=None)
        return None if self.shown is None else candidates[self.shown]

    def bring_back(self, post_id: int) -> None:
        self.first, self.last = post_id, None

    def postpone(self, post_id: int) -> None:
        self.first = None if self.first == post_id else self.first
        self.later.append(post_id)

    def listen(self, keys: Mapping[str, str], act: Act) -> None:
        _component(
            key=f"keys-{self.name}",
            data={"subject": self.shown, "turn": self.turn, "keys": dict(keys)},
            on_pressed_change=lambda: self._on_press(act),
        )

    def button(self, text: str, action: str, act: Act, *, is_quiet: bool = False) -> None:
        st.button(
            text,
            # With a stable key, a second press would count for the next post.
            key=f"choose-{action.replace(' ', '-')}-{self.name}-{self.shown}-{self.turn}",
            type="tertiary" if is_quiet else "secondary",
            width="content" if is_quiet else "stretch",
            on_click=self._act,
            args=(self.shown, self.turn, action, act),
        )

    def _on_press(self, act: Act) -> None:
        value = st.session_state[f"keys-{self.name}"].get("pressed")
        if value:
            self._act(value["subject"], value["turn"], value["action"], act)

    def _act(self, shown: int | None, turn: int, action: str, act: Act) -> None:
        """Carry out an action, unless the page has changed since it was shown."""
        account = current_account()
        if account is None or turn != self.turn or shown != self.shown:
            return
        self.turn += 1
        self.notice = None
        try:
            act(account, shown, action)
        except WorkbenchError as error:
            self.notice = refusal_text(error)


def answer_action(label: str, decision_id: int | None) -> str:
    """The action that gives a label. `decision_id` is the decision it replaces, as shown."""
    return f"answer {label}" if decision_id is None else f"answer {label} {decision_id}"


def parse_answer(action: str) -> tuple[str, int | None]:
    label, _space, decision_id = action.removeprefix("answer ").partition(" ")
    return label, int(decision_id) if decision_id.isdecimal() else None


def chooser(name: str) -> Chooser:
    state: Chooser = st.session_state.setdefault(f"chooser-{name}", Chooser(name))
    return state
