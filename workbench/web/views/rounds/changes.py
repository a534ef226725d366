"""Changed verdicts between two rounds: a grid of counts, and the posts behind each."""

from collections.abc import Sequence
from typing import Literal

import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.rounds.comparison import Example, RoundComparison
from workbench.rounds.flips import ENTERED, FLIP_KINDS, LEFT, Flips, flip_kind
from workbench.web.elements.markup import NOTHING, QUIET, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import decimal, heading, percent, quiet
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word

KIND = "flip-kind"
"""The cell whose posts are open."""


def show_changes(flips: Flips, comparison: RoundComparison) -> None:
    heading(_("Changed verdicts"))
    changed = _("{changed} of {posts} posts changed their verdict.")
    quiet(changed.format(changed=f"{flips.changed:,}", posts=f"{flips.posts:,}"))
    chosen = _chosen_kind(comparison)
    corner = _("round {first} ↓  round {second} →").format(
        first=comparison.first.number, second=comparison.second.number
    )
    with st.container(key="flips"):
        html(Markup('<span class="corner">{}</span>').format(corner))
        for label in LABELS:
            html(label_html(label))
        for before, counts in zip(LABELS, flips.matrix.tolist(), strict=True):
            html(label_html(before))
            for after, count in zip(LABELS, counts, strict=True):
                _cell(flip_kind(before, after), count, comparison, chosen)
    _unsure(flips, comparison, chosen)
    _examples(comparison)


def _cell(kind: str, count: int, comparison: RoundComparison, chosen: str | None) -> None:
    """A button if it opens posts; held-out posts are counted but never opened."""
    if kind not in comparison.examples:
        html(Markup('<span class="still">{}</span>').format(f"{count:,}"))
        return
    # The style sheet leaves the words of the grid to screen readers, as they stand at its edges.
    _opener(f"{count:,} *{_kind_word(kind)}*", kind, chosen, width="stretch")


def _opener(text: str, kind: str, chosen: str | None, *, width: Literal["stretch", "content"]) -> None:
    st.button(
        text,
        key=f"flip-{kind.replace(' ', '-')}",
        type="primary" if kind == chosen else "secondary",
        width=width,
        on_click=_choose,
        args=(kind,),
    )


def _choose(kind: str) -> None:
    st.session_state[KIND] = kind


def _chosen_kind(comparison: RoundComparison) -> str | None:
    chosen = st.session_state.get(KIND)
    return chosen if chosen in comparison.examples else None


def _unsure(flips: Flips, comparison: RoundComparison, chosen: str | None) -> None:
    band = _("Model unsure (certainty {low} to {high}): {before} posts before, {after} now.")
    quiet(
        band.format(
            low=decimal(comparison.band.low),
            high=decimal(comparison.band.high),
            before=f"{flips.band_before:,}",
            after=f"{flips.band_after:,}",
        )
    )
    with st.container(key="flips-unsure", horizontal=True):
        for kind, text, count in (
            (ENTERED, _("{count} came in"), flips.entered),
            (LEFT, _("{count} went out"), flips.left),
        ):
            if kind in comparison.examples:
                _opener(text.format(count=f"{count:,}"), kind, chosen, width="content")


def _examples(comparison: RoundComparison) -> None:
    kind = _chosen_kind(comparison)
    if kind is None:
        if comparison.examples:
            quiet(_("A number opens its posts."))
        return
    line = _("{kind}: the 20 largest changes at most, without posts kept for checking the model.")
    examples = comparison.examples[kind]
    html(QUIET.format(line.format(kind=_kind_word(kind))) + NOTHING.join(map(_example, examples)))


def _kind_word(kind: str) -> str:
    if kind == ENTERED:
        return _("now the model is unsure")
    if kind == LEFT:
        return _("the model was unsure")
    before, after = FLIP_KINDS[kind]
    return f"{label_word(before)} → {label_word(after)}"


def _example(one: Example) -> Markup:
    labels = NOTHING
    if one.labels:
        labels = Markup(" · {} {}").format(_("people say"), Markup(" / ").join(map(label_html, one.labels)))
    return Markup(
        '<div class="case"><div class="post small" dir="auto" lang="zh">{}</div>'
        '<div class="facts">{} → {}{}</div></div>'
    ).format(post_html(one.text), _verdict(one.before), _verdict(one.after), labels)


def _verdict(probabilities: Sequence[float]) -> Markup:
    top = max(probabilities)
    return Markup("{} {}").format(label_html(LABELS[probabilities.index(top)]), percent(top))
