"""Comparison of two rounds: figures, confusion matrices, reliability, changed verdicts."""

from collections.abc import Sequence
from typing import Any

import altair
import pandas
import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.rounds.comparison import Example, RoundComparison, Side, compare_rounds, comparison_inputs
from workbench.rounds.flips import ENTERED, FLIP_KINDS, LEFT, Flips
from workbench.web.current_project import project
from workbench.web.elements.markup import NOTHING, QUIET, html
from workbench.web.elements.tables import table
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import decimal, heading, note, percent, quiet, refusal
from workbench.web.views.rounds.history import confusion_html
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word

MOST_OFFERED = 30
CHART_HEIGHT, CHART_WIDTH = 280, 560


def show_comparison(account: Account, history: Sequence[dict[str, Any]]) -> None:
    offered = [entry["number"] for entry in history if entry["metrics"]][:MOST_OFFERED]
    if len(offered) < 2:
        return
    heading(_("Compare two rounds"))
    ticked = st.pills(
        _("Tick two rounds"),
        sorted(offered),
        selection_mode="multi",
        format_func=lambda number: _("Round {number}").format(number=number),
        key="compared",
    )
    if len(ticked) != 2:
        if len(ticked) > 2:
            note(_("Tick only two."))
        return
    try:
        _show(_compared(account, *sorted(ticked)))
    except WorkbenchError as error:
        refusal(error)


def _compared(account: Account, first: int, second: int) -> RoundComparison:
    """Cached while the rounds, their scores and the band stay equal: reading ten million scores takes ten seconds."""
    inputs = (first, second, *comparison_inputs(project(), first, second))
    inputs_before, comparison = st.session_state.get("comparison", (None, None))
    if comparison is None or inputs_before != inputs:
        with st.spinner(_("Reading their scores …")):
            comparison = compare_rounds(project(), account, first, second)
        st.session_state["comparison"] = inputs, comparison
    compared: RoundComparison = comparison
    return compared


def _show(comparison: RoundComparison) -> None:
    _figures(comparison)
    if not comparison.is_same_test:
        note(_("They were not measured on the same test posts: their figures differ for that reason too."))
    for column, side in zip(st.columns(2), (comparison.first, comparison.second), strict=True):
        with column:
            html(QUIET.format(_title(side)) + confusion_html(side.facts["metrics"]))
    _reliability(comparison)
    if comparison.flips is None:
        note(_("One of them has scored no posts yet, so changed verdicts cannot be told."))
        return
    if comparison.is_sample:
        note(_("Not all posts were scored: this is a random sample of those that both have scored."))
    _flips(comparison.flips, comparison)
    _examples(comparison)


def _title(side: Side) -> str:
    return _("Round {number}").format(number=side.number)


def _figures(comparison: RoundComparison) -> None:
    sides = [side.facts["metrics"] for side in (comparison.first, comparison.second)]
    rows = [
        (_("violations caught"), *(_of_violations(metrics, "recall") for metrics in sides)),
        (_("flags that were right"), *(_of_violations(metrics, "precision") for metrics in sides)),
        (_("macro-F1"), *(_with_interval(metrics, "macro_f1", decimal) for metrics in sides)),
        (_("calibration error"), *(_with_interval(metrics, "ece", decimal) for metrics in sides)),
        (_("linear baseline"), *(decimal(metrics.get("linear_macro_f1")) for metrics in sides)),
        (_("test posts"), *(f"{metrics['n']:,}" for metrics in sides)),
    ]
    figures = table(rows, ("", _title(comparison.first), _title(comparison.second)), has_titles=True)
    html(figures + QUIET.format(_("in brackets: 95% interval")))


def _of_violations(metrics: dict[str, Any], name: str) -> str:
    return _with_interval(metrics["per_label"]["violation"], name, percent)


def _with_interval(values: dict[str, Any], name: str, formatted: Any) -> str:
    """A figure with its interval, if it has one."""
    low, high = values.get("intervals", {}).get(name, (None, None))
    figure: str = formatted(values.get(name))
    return figure if low is None else f"{figure} [{formatted(low)}, {formatted(high)}]"


def _reliability(comparison: RoundComparison) -> None:
    rows = [
        (_title(side), one.confidence, one.right, one.weight)
        for side in (comparison.first, comparison.second)
        for one in side.reliability
    ]
    if not rows:
        return
    sure, right, title, posts = _("certainty"), _("share right"), _("round"), _("test posts")
    table = pandas.DataFrame(rows, columns=[title, sure, right, posts])
    scale = altair.Scale(domain=[1 / len(LABELS), 1])
    line = altair.Chart(pandas.DataFrame({sure: [1 / len(LABELS), 1], right: [1 / len(LABELS), 1]}))
    measured = altair.Chart(table).encode(
        x=altair.X(f"{sure}:Q", scale=scale, axis=altair.Axis(format="%", grid=False)),
        y=altair.Y(f"{right}:Q", scale=altair.Scale(domain=[0, 1]), axis=altair.Axis(format="%")),
        strokeDash=altair.StrokeDash(f"{title}:N", legend=altair.Legend(orient="bottom", title=None)),
        shape=altair.Shape(f"{title}:N", legend=None),
        tooltip=[title, altair.Tooltip(sure, format=".0%"), altair.Tooltip(right, format=".0%"), posts],
    )
    quiet(_("How often it was right, by how certain it was; on the thin line certainty is exact."))
    exact = line.mark_line(strokeWidth=1, opacity=0.4).encode(x=f"{sure}:Q", y=f"{right}:Q")
    drawn = measured.mark_line(strokeWidth=2) + measured.mark_point(filled=True, size=50)
    st.altair_chart((exact + drawn).properties(height=CHART_HEIGHT), width=CHART_WIDTH)


def _flips(flips: Flips, comparison: RoundComparison) -> None:
    heading(_("Changed verdicts"))
    changed = _("{changed} of {posts} posts changed their verdict.")
    band = _(
        "Model unsure (certainty {low} to {high}): {before} posts before, {entered} came in, {left} went out, {after} now."
    ).format(
        low=decimal(comparison.band.low),
        high=decimal(comparison.band.high),
        before=f"{flips.band_before:,}",
        entered=f"{flips.entered:,}",
        left=f"{flips.left:,}",
        after=f"{flips.band_after:,}",
    )
    line = QUIET.format(f"{changed.format(changed=f'{flips.changed:,}', posts=f'{flips.posts:,}')} {band}")
    corner = _("round {first} ↓  round {second} →").format(
        first=comparison.first.number, second=comparison.second.number
    )
    rows = ((label_html(label), *row) for label, row in zip(LABELS, flips.matrix, strict=True))
    html(line + table(rows, (corner, *map(label_html, LABELS)), has_titles=True, has_numbers=True))


def _examples(comparison: RoundComparison) -> None:
    if not comparison.examples:
        return
    kind = st.selectbox(
        _("Largest changes"), list(comparison.examples), format_func=_kind_word, key="flip-kind"
    )
    line = QUIET.format(_("At most 20 of a kind; posts kept for checking the model are not shown."))
    html(line + NOTHING.join(map(_example, comparison.examples[kind])))


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
