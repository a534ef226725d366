"""The annotator's desk as a browser component: draws the post, reports each press with the post it was for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from trainer.labels import LABELS
from workbench.imports.facts import link_of, pictures_of
from workbench.labelling.cards import Card, Suggestion
from workbench.posts import thread
from workbench.posts.thread import Neighbour
from workbench.web.current_project import project
from workbench.web.elements import guidelines
from workbench.web.elements.visible import Segment, segments
from workbench.web.elements.widgets import shortened
from workbench.web.wording.i18n import _, current_language
from workbench.web.wording.words import facts_word, label_word

SCRIPT = "\n".join(
    Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("card.js", "keys.js")
)
KEY = "keys"
FIRST_REASON_KEY = 4
NEIGHBOUR_AT_MOST = 500
"""Characters shown of each neighbouring post of the thread."""

_component = st.components.v2.component("workbench_desk", js=SCRIPT, isolate_styles=False)


@dataclass(frozen=True)
class Press:
    post: int | None
    turn: int
    action: str
    note: str


Drawn = dict[int, tuple[Card, dict[str, Any]]]
"""Cards by post as sent to the browser: the prefetched one is reused when it is shown."""


def draw(
    session: Session,
    cards: Sequence[Card],
    turn: int,
    *,
    drawn: Drawn,
    reasons: Sequence[str],
    on_press: Callable[[], None],
    on_draft: Callable[[], None],
) -> None:
    """Draw the first card, prefetch the second, and listen. The callbacks read `pressed` and `drafted`.

    `drawn` caches drawn cards and is updated. `reasons` are those that the last answer may still be given.
    """
    for stale in drawn.keys() - {card.post_id for card in cards[:2]}:
        del drawn[stale]
    shown = [_card(session, card, drawn) for card in cards[:2]]
    current, following = [*shown, None, None][:2]
    _component(
        key=KEY,
        data={
            "turn": turn,
            "current": current,
            "next": following,
            "reasons": {str(key): reason for key, reason in enumerate(reasons, start=FIRST_REASON_KEY)},
            **guidelines.guidelines_data(session),
            **_fixed(current_language(), project().settings.label_keys),
        },
        on_pressed_change=on_press,
        on_drafted_change=on_draft,
    )


def pressed() -> Press | None:
    value = st.session_state[KEY].get("pressed")
    return Press(value["post"], value["turn"], value["action"], value["note"]) if value else None


def drafted() -> tuple[int, str] | None:
    value = st.session_state[KEY].get("drafted")
    return (value["post"], value["note"]) if value else None


def suggestion_bar(suggestion: Suggestion) -> list[list[Any]]:
    """Label, displayed word and probability, in the order of the labels."""
    return [[label, label_word(label), suggestion.probabilities[label]] for label in LABELS]


def _card(session: Session, card: Card, drawn: Drawn) -> dict[str, Any]:
    entry = drawn.get(card.post_id)
    if entry is None or entry[0] != card:
        entry = drawn[card.post_id] = card, _draw(session, card)
    return entry[1]


def _draw(session: Session, card: Card) -> dict[str, Any]:
    around = thread.around(session, card.post_id)
    return {
        "post": card.post_id,
        "facts": [
            [word, _as_lists(segments(str(value)))]
            for column, value in card.facts.items()
            if (word := facts_word(column)) is not None
        ],
        "remarks": _remarks(card),
        "link": link_of(card.facts),
        "length": len(card.text),
        "segments": _as_lists(segments(card.text)),
        "lookalikes": _as_lists(segments(card.text, has_lookalikes=True)),
        "before": [_neighbour(post) for post in around.before],
        "after": [_neighbour(post) for post in around.after],
        "note": card.note,
        "suggestion": None if card.suggestion is None else suggestion_bar(card.suggestion),
    }


def _remarks(card: Card) -> list[str]:
    remarks = []
    if pictures := pictures_of(card.facts):
        remarks.append(_("with {count} pictures, not shown").format(count=pictures))
    if card.near_copies:
        remarks.append(_("near-copies: {count}").format(count=card.near_copies))
    return remarks


def _neighbour(post: Neighbour) -> dict[str, Any]:
    who = " · ".join(filter(None, (post.author, post.time)))
    return {
        "who": _as_lists(segments(who)),
        "segments": _as_lists(segments(shortened(post.text, NEIGHBOUR_AT_MOST))),
    }


def _as_lists(parts: Sequence[Segment]) -> list[list[str]]:
    return [[part.kind, part.text, part.title or ""] for part in parts]


@lru_cache(maxsize=16)
def _fixed(language: str, keys: tuple[str, str, str]) -> Mapping[str, Any]:
    """The data that all presses in one language share."""
    return {
        "labels": dict(zip(keys, LABELS, strict=True)),
        "language": language,
        "words": _words(),
        "tools": _tools(),
        "help": _help(keys),
    }


def _words() -> Mapping[str, str]:
    return {
        "post": _("The post"),
        "open": _("O open on the forum"),
        "unfold": _("E show all {length} characters"),
        "thread": _("T before and after it in the thread"),
        "here": _("… this post …"),
        "note": _("A note for the lead. Enter keeps it, it is saved with your answer."),
        "moved": _(
            "Another post came while you were typing. Your note waits with its post; keys rest for a moment."
        ),
        "lost": _("Not saved yet: there is no connection. Press again when it is back."),
        "helpTitle": _("Keys"),
        "guidelinesTitle": _("Guidelines"),
        "rulings": _("Rulings: {count}"),
        "close": _("Close"),
    }


def _tools() -> list[list[str]]:
    return [
        ["note", _("N note")],
        ["lookalikes", _("L look-alikes")],
        ["blur", _("B blur")],
        ["guidelines", _("G guidelines")],
        ["help", _("? keys")],
    ]


def _help(keys: Sequence[str]) -> list[list[str]]:
    return [
        [" ".join(key.upper() for key in keys), " · ".join(label_word(label) for label in LABELS)],
        [
            f"{FIRST_REASON_KEY} – 9",
            _("a reason for the violation or the skip you have just saved; never required"),
        ],
        ["S", _("skip: another annotator gets the post")],
        ["F", _("ask the lead: the post goes on the lead's list")],
        ["U", _("undo, any number of steps")],
        [f"⇧ {' '.join(key.upper() for key in keys)}", _("change your last answer")],
        ["⇧ F", _("put your last answer on the lead's list as well")],
        ["P", _("give your last answer to the near-copies: once to see them, once more to do it")],
        ["N", _("write a note")],
        ["O", _("open the post on the forum")],
        ["T", _("the posts around it in its thread")],
        ["E", _("unfold a long post")],
        ["L", _("mark letters that look like others")],
        ["B", _("blur posts until you point at them or press the space bar")],
        ["G", _("the guidelines")],
    ]
