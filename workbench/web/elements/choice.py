"""One choice at a time, by key or by button: what was chosen counts for the post and the turn it was seen in."""

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
    """What one browser tab shows of a list that is decided post by post."""

    name: str
    turn: int = 0
    shown: int | None = None
    last: int | None = None
    """The post decided before."""
    first: int | None = None
    """The post that was just brought back: it comes before all others."""
    later: list[int] = field(default_factory=list)
    """Posts put off in this tab, which come last."""
    notice: str | None = None

    def choose(self, things: Mapping[int, T]) -> T | None:
        """What is to be decided now, of things by their post in their order; None when none is left."""
        later = {post: place for place, post in enumerate(self.later)}
        self.shown = min(things, key=lambda post: (post != self.first, later.get(post, -1)), default=None)
        return None if self.shown is None else things[self.shown]

    def bring_back(self, post_id: int) -> None:
        """A decision was taken back: its post comes next."""
        self.first, self.last = post_id, None

    def listen(self, keys: Mapping[str, str], act: Act) -> None:
        """Take these keys, each for its action."""
        _component(
            key=f"keys-{self.name}",
            data={"subject": self.shown, "turn": self.turn, "keys": dict(keys)},
            on_pressed_change=lambda: self._on_press(act),
        )

    def button(self, text: str, action: str, act: Act, *, is_quiet: bool = False) -> None:
        """A button that does what a key does."""
        st.button(
            text,
            # A stable key would take a second press as a decision on the next post.
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
        """Carry out an action, unless the page has changed since the person saw it."""
        account = current_account()
        if account is None or turn != self.turn or shown != self.shown:
            return
        self.turn += 1
        self.notice = None
        try:
            act(account, shown, action)
        except WorkbenchError as error:
            self.notice = refusal_text(error)


def answering(label: str, decision_id: int | None) -> str:
    """The action that gives a label, in place of the decision that was seen to stand."""
    return f"answer {label}" if decision_id is None else f"answer {label} {decision_id}"


def answered(action: str) -> tuple[str, int | None]:
    """The label and the decision of such an action."""
    label, _space, decision_id = action.removeprefix("answer ").partition(" ")
    return label, int(decision_id) if decision_id.isdecimal() else None


def chooser(name: str) -> Chooser:
    """This tab's state of the list of that name."""
    state: Chooser = st.session_state.setdefault(f"chooser-{name}", Chooser(name))
    return state
