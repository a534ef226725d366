"""Radar, for leads: what is new in the newest import and its week."""

from collections.abc import Sequence
from datetime import datetime

import altair
import pandas
import streamlit as st
from markupsafe import Markup

from trainer.statistics.drift import CHANGED, MOVED
from workbench.errors import WorkbenchError
from workbench.overview.radar import BINS, Disguise, Drift, Period, Rising, read_radar
from workbench.web.current_project import project
from workbench.web.elements.markup import QUIET, each, html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import clock, heading, note, quiet, refusal, require_account
from workbench.web.frame.title import title
from workbench.web.wording.i18n import N_, _

HOW_WORDS = {"sound": N_("sounds alike"), "letters": N_("in letters"), "look": N_("looks alike or cut apart")}
SCORE_WORDS = {
    "violation": N_("probability of a violation"),
    "certainty": N_("certainty of the model in use"),
}


def show() -> None:
    account = require_account()
    title(_("Radar"))
    try:
        radar = read_radar(project(), account)
    except WorkbenchError as error:
        refusal(error)
        return
    if radar is None or not radar.periods:
        note(_("Nothing to tell yet: the worker looks for what is new after each import."), is_done=True)
        return
    quiet(_("Looked at {when}.").format(when=clock(datetime.fromisoformat(radar.made_at))))
    names = [_name(period) for period in radar.periods]
    for tab, period in zip(st.tabs(names), radar.periods, strict=True):
        with tab:
            _period(period, radar.known)


def _name(period: Period) -> str:
    if period.kind == "import":
        return _("The newest import")
    return _("Week {week}").format(week=period.name)


def _period(period: Period, violation_words: Sequence[str]) -> None:
    text = _("{now} posts looked at, beside {before} imported before: {name}")
    quiet(text.format(now=f"{period.posts:,}", before=f"{period.posts_before:,}", name=period.name))
    heading(_("Rising words"))
    if not period.posts_before:
        note(_("There is nothing before to compare with."), is_done=True)
    else:
        _table((_("word"), _("now"), _("before"), _("for example")), [*map(_rising, period.rising)])
    heading(_("Words of violations in disguise"))
    if violation_words:
        quiet(post_html(_("looked for: {words}").format(words="  ".join(violation_words))))
    else:
        note(_("With a few dozen labelled violations their words become known, and are looked for here."))
    names = (_("written"), _("stands for"), _("how"), _("now"), _("before"), _("for example"))
    _table(names, [*map(_disguise, period.disguises)])
    if period.drifts:
        heading(_("What the model sees"))
        for column, drift in zip(st.columns(2), period.drifts, strict=False):
            with column:
                _drift(drift)


def _table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    if rows:
        html(table(rows, headings))
    else:
        note(_("Nothing stands out."), is_done=True)


def _rising(one: Rising) -> Sequence[Cell]:
    return _bold(one.word), one.count, one.before, _examples(one.examples)


def _disguise(one: Disguise) -> Sequence[Cell]:
    how = _(HOW_WORDS[one.how])
    return _bold(one.written), post_html(one.word), how, one.count, one.before, _examples(one.examples)


def _bold(text: str) -> Markup:
    return Markup("<b>{}</b>").format(post_html(text))


def _examples(texts: Sequence[str]) -> Markup:
    example = Markup('<div class="example" dir="auto" lang="zh">{}</div>')
    return each(example, (post_html(" ".join(text.split())) for text in texts))


def _drift(drift: Drift) -> None:
    if drift.is_chance:
        verdict = _("may be as before: too few posts to tell")
    elif drift.psi >= MOVED:
        verdict = _("has shifted")
    else:
        verdict = _("is shifting") if drift.psi >= CHANGED else _("is as before")
    line = Markup("<div>{}: {} (PSI {:.2f})</div>").format(_(SCORE_WORDS[drift.score]), verdict, drift.psi)
    html(line + QUIET.format(_("now (filled), before (outline)")))
    st.altair_chart(_chart(drift), width="stretch")
    html(Markup('<div class="copies">{}</div>').format(_examples(drift.examples)))


def _chart(drift: Drift) -> altair.LayerChart | altair.FacetChart:
    """Now as filled bars, before as outlines over them."""
    rows = [
        {"from": at / BINS, "to": (at + 1) / BINS, "now": now, "before": before}
        for at, (now, before) in enumerate(zip(drift.now, drift.before, strict=True))
    ]
    data = altair.Chart(pandas.DataFrame(rows))
    x = altair.X("from:Q", title=None, scale=altair.Scale(domain=[0, 1]), axis=altair.Axis(format=".1f"))
    percent = altair.Axis(format="%")
    now = data.mark_bar(opacity=0.55).encode(
        x=x,
        x2="to:Q",
        y=altair.Y("now:Q", title=None, axis=percent),
        y2=altair.datum(0),
    )
    before = data.mark_bar(filled=False, stroke="gray").encode(
        x=x, x2="to:Q", y=altair.Y("before:Q", axis=percent), y2=altair.datum(0)
    )
    return altair.layer(now, before).properties(height=160)
