"""The band of certainty that people label."""

import numpy as np
import streamlit as st
from markupsafe import Markup
from numpy.typing import NDArray

from trainer.selection.lanes import Band
from workbench.web.elements.markup import html
from workbench.web.elements.widgets import heading, quiet
from workbench.web.views.thresholds.drawing import bars, scale, zone
from workbench.web.wording.i18n import _

KEY = "band"
LOWEST, HIGHEST = 0.34, 0.99
"""Ends of the slider. The highest of three probabilities is at least a third."""
STEP = 10
"""Width of a bar, in thousandths: a step of the slider."""


def ask(now: Band, thousandths: NDArray[np.int64]) -> tuple[float, float]:
    """`thousandths` counts the waiting posts by their certainty."""
    heading(_("What people are asked about"))
    quiet(_("Drag the ends: posts of this certainty, and all below, are asked about."))
    with st.container(key="band-of-certainty"):
        chosen = st.session_state.get(KEY, shown(now.low, now.high))
        html(_histogram(thousandths, *chosen))
        start, end = st.slider(
            _("Certainties people label, and all below"),
            LOWEST,
            HIGHEST,
            shown(now.low, now.high),
            step=0.01,
            key=KEY,
            label_visibility="collapsed",
        )
    above = int(thousandths[round(1000 * HIGHEST) :].sum())
    text = _("{count} posts of which the model is more certain are not drawn.")
    quiet(_size(thousandths, start, end), *([text.format(count=f"{above:,}")] if above else []))
    return float(start), float(end)


def shown(low: float, high: float) -> tuple[float, float]:
    """A band as the slider can show it."""
    return max(LOWEST, low), min(HIGHEST, high)


def _histogram(thousandths: NDArray[np.int64], start: float, end: float) -> Markup:
    first, last = round(1000 * LOWEST), round(1000 * HIGHEST)
    places = np.arange(first, last, STEP)
    counts = np.array([thousandths[place : place + STEP].sum() for place in places])
    is_chosen = (places >= round(1000 * start)) & (places < round(1000 * end))
    low, high = ((1000 * end - first) / (last - first) for end in (start, end))
    return Markup(
        '<figure class="scores"><div class="plot"><div class="zones">{}</div>{}</div>{}</figure>'
    ).format(
        zone("asked", low, high),
        bars(counts, _("Waiting posts by certainty"), chosen=is_chosen),
        scale(LOWEST, HIGHEST, 0.1),
    )


def _size(thousandths: NDArray[np.int64], start: float, end: float) -> str:
    first, last = round(1000 * start), round(1000 * end)
    text = _(
        "The model is unsure about {unsure} of the {posts} posts that waited when the queue was filled: {inside} in this band, {below} below it."
    )
    return text.format(
        unsure=f"{thousandths[:last].sum():,}",
        posts=f"{thousandths.sum():,}",
        inside=f"{thousandths[first:last].sum():,}",
        below=f"{thousandths[:first].sum():,}",
    )
