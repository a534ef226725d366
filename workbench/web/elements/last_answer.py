"""The line about the last answer: what was saved, the model's probabilities, and the actions still possible."""

from collections.abc import Sequence
from typing import Protocol

import streamlit as st
from markupsafe import Markup, escape
from sqlalchemy.orm import Session

from trainer.labels import LABELS
from trainer.selection.lanes import SECOND_OPINION
from workbench.labelling import explanations
from workbench.labelling.cards import Copy, Saved, Suggestion
from workbench.web.current_project import project
from workbench.web.elements.desk import FIRST_REASON_KEY, suggestion_bar
from workbench.web.elements.markup import NOTHING, QUIET, each, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import shortened
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word, lane_word, reason_word

PREVIEWED = 5
"""Near-copies listed before an answer is propagated to them; the rest are counted."""


class Press(Protocol):
    """Draws a button for an action that also has a key."""

    def __call__(self, text: str, action: str, *, name: str | None = None, is_quiet: bool = True) -> None: ...


def show(saved: Saved, influential: Sequence[str], preview: Sequence[Copy], press: Press) -> None:
    thought = thought_html(saved.suggestion, influential) if saved.suggestion else NOTHING
    html(Markup('<div class="last" role="status">{}</div>{}').format(_saved_html(saved), thought))
    if preview:
        _show_copies(saved, preview, press)
    with st.container(horizontal=True, key="second-thoughts"):
        if saved.copies and not preview:
            press(_("P same answer for {count} near-copies").format(count=saved.copies), "copies")
        for number, reason in enumerate(reasons_for(saved)):
            text = f"{FIRST_REASON_KEY + number} {reason_word(reason)}"
            press(_plain(text), f"reason {reason}", name=f"reason-{number}")
        if saved.label is not None:
            for key, label in zip(project().settings.label_keys, LABELS, strict=True):
                if label != saved.label:
                    press(f"⇧{key.upper()} {label_word(label)}", f"change {label}")
        if not saved.is_flagged:
            press(_("⇧F ask the lead"), "flag")


def reasons_for(saved: Saved | None) -> Sequence[str]:
    if saved is None or saved.reason is not None or saved.is_flagged:
        return ()
    if saved.label is None:
        return project().settings.skip_reasons
    return project().settings.violation_reasons if saved.label == "violation" else ()


def _saved_html(saved: Saved) -> Markup:
    text = post_html(shortened(saved.text))
    if saved.label is None:
        line = (
            _("last: asked the lead about “{text}” saved ✓")
            if saved.is_flagged
            else _("last: skipped “{text}” saved ✓")
        )
        parts: list[str] = [escape(line).format(text=text)]
    else:
        line = _("last: {label} on “{text}” saved ✓")
        parts = [escape(line).format(label=label_html(saved.label), text=text)]
        if saved.is_flagged:
            parts.append(_("on the lead's list"))
    if saved.reason:
        parts.append(reason_word(saved.reason))
    if saved.note:
        parts.append(_("with a note"))
    if saved.propagated:
        parts.append(_("and {count} near-copies").format(count=saved.propagated))
    if saved.is_late:
        parts.append(_("your time for it had run out and another annotator had it: kept as a second opinion"))
    elif saved.is_second_opinion and saved.lane != SECOND_OPINION:
        parts.append(_("another annotator has labelled it too"))
    elif saved.lane is not None:
        parts.append(lane_word(saved.lane))
    return Markup(" · ").join(parts)


def influential_words(session: Session, saved: Saved | None) -> Sequence[str]:
    if saved is None or saved.suggestion is None or saved.suggestion.round_number is None:
        return ()
    # None until the worker has explained the post.
    spans = explanations.influential_words(session, saved.post_id, saved.suggestion.round_number) or ()
    return [saved.text[start:end] for start, end, _drop in spans]


def thought_html(suggestion: Suggestion, influential: Sequence[str]) -> Markup:
    part = Markup('<span class="label {}" style="flex-grow:{:.3f}">{} {:.2f}</span>')
    parts = NOTHING.join(
        part.format(label, max(share, 0.02), word, share) for label, word, share in suggestion_bar(suggestion)
    )
    bar = Markup('<div class="thought"><span class="who">{}</span>{}</div>').format(
        _("the model had thought"), parts
    )
    if not influential:
        return bar
    words = Markup(" ").join(Markup("“{}”").format(post_html(shortened(word))) for word in influential)
    because = escape(_("because of {words}")).format(words=words)
    return bar + QUIET.format(because)


def _show_copies(saved: Saved, preview: Sequence[Copy], press: Press) -> None:
    rows = each(Markup("<p>{}</p>"), (post_html(shortened(copy.text, 80)) for copy in preview[:PREVIEWED]))
    more = len(preview) - PREVIEWED
    if more > 0:
        rows += Markup('<p class="quiet">{}</p>').format(_("and {count} more").format(count=more))
    html(Markup('<div class="copies">{}</div>').format(rows))
    label = label_word(saved.label) if saved.label else ""
    press(_("P again: {label} for all {count}").format(label=label, count=len(preview)), "copies")


def _plain(text: str) -> str:
    """Escaped for Streamlit, which reads a button's label as Markdown."""
    return "".join(f"\\{character}" if character in MARKDOWN else character for character in text)


MARKDOWN = frozenset("\\`*_{}[]()<>#+-.!|~$:")
