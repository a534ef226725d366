"""The annotator's keys: a component without a face that sends what was pressed, and for which post."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from trainer.config import LABELS

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
KEY = "keys"

_component = st.components.v2.component("workbench_keys", js=SCRIPT, isolate_styles=False)


@dataclass(frozen=True)
class Press:
    """What was pressed, and the post and turn the person saw when they pressed it."""

    post: int | None
    turn: int
    action: str


def listen(post: int | None, turn: int, on_press: Callable[[], None]) -> None:
    """Listen to the keys while this post is shown; `on_press` then asks `pressed`."""
    _component(key=KEY, data={"post": post, "turn": turn, "labels": list(LABELS)}, on_pressed_change=on_press)


def pressed() -> Press | None:
    """The press that started this run."""
    value = st.session_state[KEY].get("pressed")
    return Press(value["post"], value["turn"], value["action"]) if value else None
