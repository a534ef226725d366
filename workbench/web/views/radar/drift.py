"""How far the scores of the model in use have shifted."""

from collections.abc import Sequence

import streamlit as st
from markupsafe import Markup

from trainer.statistics.drift import CHANGED, MOVED
from workbench.overview.radar import BINS, Drift
from workbench.web.elements.markup import NOTHING, each, html
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import heading, quiet
from workbench.web.wording.i18n import N_, _

SCORE_WORDS = {
    "violation": N_("Violation score"),
    "certainty": N_("Certainty of the model in use"),
}


def show(drifts: Sequence[Drift]) -> None:
    if not drifts:
        return
    heading(_("What the model sees"))
    for column, drift in zip(st.columns(2, gap="large"), drifts, strict=False):
        with column:
            html(_drift(drift))
    with st.expander(_("Statistics"), key="drift-statistics"):
        quiet(
            *(
                _("{score}: population stability index (PSI) {psi}").format(
                    score=_(SCORE_WORDS[drift.score]), psi=f"{drift.psi:.2f}"
                )
                for drift in drifts
            ),
            _("Below {changed} scores are as before, from {moved} on they have shifted.").format(
                changed=CHANGED, moved=MOVED
            ),
        )


def _drift(drift: Drift) -> Markup:
    examples = each(
        Markup('<p dir="auto" lang="zh">{}</p>'),
        (post_html(" ".join(text.split())) for text in drift.examples),
    )
    told = Markup('<p class="told"><b>{}</b> <span>{}</span></p>').format(
        _(SCORE_WORDS[drift.score]), _verdict(drift)
    )
    key = Markup('<p class="legend"><i class="now"></i>{} <i class="before"></i>{}</p>').format(
        _("now"), _("before")
    )
    growth = (
        Markup('<p class="quiet">{}</p>').format(_("From where most posts have come:"))
        if examples
        else NOTHING
    )
    return Markup('<div class="drift">{}{}{}{}{}</div>').format(told, _columns(drift), key, growth, examples)


def _verdict(drift: Drift) -> str:
    if drift.is_chance:
        return _("may be as before: too few posts to tell")
    if drift.psi >= MOVED:
        return _("has shifted")
    return _("is shifting") if drift.psi >= CHANGED else _("is as before")


def _columns(drift: Drift) -> Markup:
    """Shares of the posts in ten equal parts of the score: now beside before, in one scale."""
    top = max(*drift.now, *drift.before) or 1
    pair = Markup(
        '<div title="{}"><i class="before" style="height:{:.1f}%"></i><i class="now" style="height:{:.1f}%"></i>'
        "<span>{:.1f}</span></div>"
    )
    pairs = NOTHING.join(
        pair.format(f"{before:.0%} → {now:.0%}", 100 * before / top, 100 * now / top, at / BINS)
        for at, (now, before) in enumerate(zip(drift.now, drift.before, strict=True))
    )
    return Markup('<div class="pairs" role="img" aria-label="{}">{}</div>').format(
        _(SCORE_WORDS[drift.score]), pairs
    )
