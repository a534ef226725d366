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
from workbench.web.wording.words import facts_word, label_word, reason_word

SCRIPT = "\n".join(
    Path(__file__).with_name(name).read_text(encoding="utf-8")
    for name in ("card.js", "rail.js", "dock.js", "drafts.js", "keys.js")
)
KEY = "keys"
FIRST_REASON_KEY = 4
NEIGHBOUR_AT_MOST = 500
"""Characters shown of each neighbouring post of the thread."""

_component = st.components.v2.component("workbench_desk", js=SCRIPT, isolate_styles=False)


@dataclass(frozen=True)
class Press:
    """`answer` is the place of the last answer that the action is about, and `of` that answer's post."""

    post: int | None
    turn: int
    action: str
    note: str
    answer: int = 0
    of: int | None = None


Drawn = dict[int, tuple[Card, dict[str, Any]]]
"""Cards by post as sent to the browser: the prefetched one is reused when it is shown."""


def draw(
    session: Session,
    cards: Sequence[Card],
    *,
    drawn: Drawn,
    around: Mapping[str, Any],
    on_press: Callable[[], None],
    on_draft: Callable[[], None],
) -> None:
    """Draw the first card, prefetch the second, and listen. The callbacks read `pressed` and `drafted`.

    `drawn` caches drawn cards and is updated. `around` is the turn and what stands around the card.
    """
    for stale in drawn.keys() - {card.post_id for card in cards[:2]}:
        del drawn[stale]
    shown = [_card(session, card, drawn) for card in cards[:2]]
    current, following = [*shown, None, None][:2]
    _component(
        key=KEY,
        data={
            "current": current,
            "next": following,
            **around,
            **guidelines.guidelines_data(session),
            **_fixed(current_language(), _choices()),
        },
        on_pressed_change=on_press,
        on_drafted_change=on_draft,
    )


def pressed() -> Press | None:
    value = st.session_state[KEY].get("pressed")
    return Press(**value) if value else None


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
            [word, as_lists(segments(str(value)))]
            for column, value in card.facts.items()
            if (word := facts_word(column)) is not None
        ],
        "remarks": _remarks(card),
        "link": link_of(card.facts),
        "length": len(card.text),
        "segments": as_lists(segments(card.text)),
        "lookalikes": as_lists(segments(card.text, has_lookalikes=True)),
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
        "who": as_lists(segments(who)),
        "segments": as_lists(segments(shortened(post.text, NEIGHBOUR_AT_MOST))),
    }


def as_lists(parts: Sequence[Segment]) -> list[list[str]]:
    return [[part.kind, part.text, part.title or ""] for part in parts]


@dataclass(frozen=True)
class Choices:
    """What the settings offer: the key of each label, and the reasons."""

    keys: tuple[str, str, str]
    violation_reasons: tuple[str, ...]
    skip_reasons: tuple[str, ...]


def _choices() -> Choices:
    settings = project().settings
    return Choices(settings.label_keys, settings.violation_reasons, settings.skip_reasons)


@lru_cache(maxsize=16)
def _fixed(language: str, choices: Choices) -> Mapping[str, Any]:
    """The data that all presses in one language share."""
    keys = choices.keys
    return {
        "labels": dict(zip(keys, LABELS, strict=True)),
        "labelWords": {label: label_word(label) for label in LABELS},
        "reasons": {
            "violation": _keyed(choices.violation_reasons),
            "skip": _keyed(choices.skip_reasons),
        },
        "language": language,
        "words": _words(),
        "tools": _tools(),
        "help": _help(keys),
    }


def _keyed(reasons: Sequence[str]) -> list[list[str]]:
    """Key, reason and the word that the reader sees."""
    return [
        [str(key), reason, reason_word(reason)] for key, reason in enumerate(reasons, start=FIRST_REASON_KEY)
    ]


def _words() -> Mapping[str, str]:
    return _words_of_card() | _words_of_dock() | _words_of_rail() | _refusals()


def _words_of_card() -> dict[str, str]:
    return {
        "page": _("Label"),
        "post": _("The post"),
        "open": _("open on the forum"),
        "unfold": _("show all {length} characters"),
        "here": _("… this post …"),
        "note": _("A note for the lead. Enter keeps it, it is saved with your answer."),
        "view": _("Display of the post"),
    }


def _words_of_dock() -> dict[str, str]:
    return {
        "dock": _("Your answer"),
        "changing": _("You are changing an earlier answer"),
        "back": _("back to the post"),
        "helpTitle": _("Keys"),
        "guidelinesTitle": _("Guidelines"),
        "rulings": _("Rulings: {count}"),
        "close": _("Close"),
    }


def _words_of_rail() -> dict[str, str]:
    return {
        "rail": _("Today and your last answers"),
        "today": _("Today"),
        "answers": _("Last answers"),
        "noAnswers": _("Your answers will be listed here. Each can be changed."),
        "saved": _("saved"),
        "reason": _("Reason"),
        "thought": _("The model's view"),
        "because": _("because of"),
        "allGuidelines": _("all guidelines"),
    }


def _refusals() -> dict[str, str]:
    """What the page says when it does not take a key."""
    return {
        "moved": _(
            "Another post came while you were typing. Your note waits with its post; keys rest for a moment."
        ),
        "lost": _("Not saved yet: there is no connection. Press again when it is back."),
        "early": _("Too early: look at the post first."),
        "busy": _("Not taken: the answer before is still being saved."),
        "away": _("Not taken: there is no connection."),
        "covered": _("Not taken: close the window first, with Esc."),
        "resting": _("Not taken: you were typing a moment ago."),
        "leaveFirst": _("Not taken: press Esc first to return to the post."),
        "nothing": _("Not taken: there is nothing this key could act on."),
        "already": _("It has this label already."),
        "skipped": _("A skipped post has no answer to change. Press U to have it again."),
    }


def _tools() -> Mapping[str, list[list[str]]]:
    """By place: command, key and word. Those of the card are switches."""
    return {
        "card": [
            ["thread", "T", _("in its thread")],
            ["lookalikes", "L", _("look-alikes")],
            ["blur", "B", _("blur")],
        ],
        "dock": [
            ["skip", "S", _("skip")],
            ["ask", "F", _("ask the lead")],
            ["note", "N", _("note")],
            ["undo", "U", _("undo")],
            ["rail", "M", _("my answers")],
            ["help", "?", _("all keys")],
        ],
    }


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
        ["↑ ↓", _("choose one of your last answers; its label, reason and question can be changed then")],
        [f"⇧ {' '.join(key.upper() for key in keys)}", _("change your last answer")],
        ["⇧ F", _("put your last answer on the lead's list as well")],
        ["P", _("give your last answer to the near-copies: once to see them, once more to do it")],
        ["N", _("write a note")],
        ["M", _("your last answers and the day, on a narrow screen")],
        ["O", _("open the post on the forum")],
        ["T", _("the posts around it in its thread")],
        ["E", _("unfold a long post")],
        ["L", _("mark letters that look like others")],
        ["B", _("blur posts until you point at them or press the space bar")],
        ["G", _("the guidelines")],
    ]
