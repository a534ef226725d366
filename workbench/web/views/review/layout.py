"""What the lists of decisions share: the card, the rail beside it, the dock below it, and what an empty list says."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup
from streamlit.delta_generator import DeltaGenerator

from trainer.labels import LABELS
from workbench.labelling.cards import Suggestion
from workbench.web.elements.choice import Act, Chooser
from workbench.web.elements.markup import NOTHING, each, html
from workbench.web.elements.visible import post_html
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_word

Choice = tuple[str, str, str]
"""The key, the words and the action of a decision."""


def columns() -> tuple[DeltaGenerator, DeltaGenerator]:
    """The card's column and the rail."""
    card, rail = st.columns([5, 2], gap="large")
    return card, rail


def post_card(text: str) -> Markup:
    return Markup('<div class="post" dir="auto" lang="zh">{}</div>').format(post_html(text))


def dock(state: Chooser, choices: Sequence[Choice], act: Act, *, reason_key: str | None = None) -> None:
    """Buttons that stay in sight below the card; without a choice only what takes the last one back."""
    with st.container(key=f"dock-{state.name}"):
        if choices:
            with st.container(horizontal=True, key=f"choices-{state.name}"):
                for key, words, action in choices:
                    state.button(f"{_keycap(key)} {words}", action, act)
        with st.container(horizontal=True, vertical_alignment="center", key=f"commands-{state.name}"):
            if choices and reason_key is not None:
                reason = _("Reason, never required")
                st.text_input(
                    reason, key=reason_key, max_chars=200, placeholder=reason, label_visibility="collapsed"
                )
            if choices:
                state.button(f"{_keycap('s')} {_('later')}", "later", act, is_quiet=True)
            state.button(f"{_keycap('u')} {_('undo')}", "undo", act, is_quiet=True)


def empty(title: str, text: str) -> None:
    """What a list will show once there is something in it."""
    html(Markup('<div class="empty"><h2>{}</h2><p>{}</p></div>').format(title, text))


def rail_lines(*lines: str) -> None:
    html(Markup('<div class="rail-lines">{}</div>').format(each(Markup("<p>{}</p>"), lines)))


def model_view(suggestion: Suggestion, title: str) -> Markup:
    """The three probabilities, each as a bar from 0 to 1."""
    row = Markup(
        '<div class="share"><span>{}</span><span class="track"><i class="{}" style="width:{:.1f}%"></i></span>'
        '<span class="number">{:.2f}</span></div>'
    )
    rows = NOTHING.join(
        row.format(label_word(label), label, 100 * share, share)
        for label, share in ((label, suggestion.probabilities[label]) for label in LABELS)
    )
    return Markup('<div class="model-view"><h2>{}</h2>{}</div>').format(title, rows)


def _keycap(key: str) -> str:
    """In the label of a Streamlit button, whose code review.css draws as a key."""
    return f"`{key.upper()}`"
