"""Comparison of two rounds: figures with differences, changed verdicts; in a fold confusion and reliability."""

from collections.abc import Callable, Sequence
from typing import Any

import altair
import pandas
import streamlit as st
from markupsafe import Markup

from trainer.labels import LABELS
from trainer.statistics.differences import Difference, Differences
from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.rounds.comparison import RoundComparison, Side, compare_rounds, comparison_inputs
from workbench.rounds.gate import FEWEST_POSTS, FEWEST_VIOLATIONS
from workbench.rounds.measured import Figure, Measured, read_measured
from workbench.web.current_project import project
from workbench.web.elements.markup import QUIET, html
from workbench.web.elements.rounds.measured import basis, interval, value
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import decimal, heading, note, percent, quiet, refusal
from workbench.web.views.rounds.changes import show_changes
from workbench.web.views.rounds.details import confusion_html
from workbench.web.wording.i18n import _

MOST_OFFERED = 30
CHART_HEIGHT, CHART_WIDTH = 280, 560
Formatted = Callable[[float | None], str]


def show_comparison(account: Account, history: Sequence[dict[str, Any]]) -> None:
    offered = [entry["number"] for entry in history if entry["metrics"]][:MOST_OFFERED]
    if len(offered) < 2:
        return
    heading(_("Compare two rounds"))
    with st.container(key="comparing"):
        ticked = st.pills(
            _("Tick two rounds"),
            sorted(offered),
            selection_mode="multi",
            format_func=lambda number: _("Round {number}").format(number=number),
            key="compared",
            label_visibility="collapsed",
        )
        if len(ticked) != 2:
            quiet(_("Tick only two.") if len(ticked) > 2 else _("Tick two rounds."))
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
    if comparison.flips is None:
        note(_("One of them has scored no posts yet, so changed verdicts cannot be told."))
    else:
        if comparison.is_sample:
            note(_("Not all posts were scored: this is a random sample of those that both have scored."))
        show_changes(comparison.flips, comparison)
    with st.expander(_("Confusion and reliability"), key="compared-statistics"):
        for column, side in zip(st.columns(2), (comparison.first, comparison.second), strict=True):
            with column:
                html(QUIET.format(_title(side)) + confusion_html(side.facts["metrics"]))
        _reliability(comparison)


def _title(side: Side) -> str:
    return _("Round {number}").format(number=side.number)


def _figures(comparison: RoundComparison) -> None:
    """On the same test posts with differences; without shared ones each round's own figures."""
    hues = (
        Markup('<i class="hue {}"></i>{}').format(hue, _title(side))
        for hue, side in (("one", comparison.first), ("other", comparison.second))
    )
    shared = comparison.differences
    is_enough = shared is not None and shared.posts >= FEWEST_POSTS
    rows = _shared_rows(shared) if shared is not None and is_enough else _own_rows(comparison)
    headings = ("", *hues, *([_("difference")] if is_enough else []))
    html(table(rows, headings, has_titles=True, has_numbers=True, is_grid=True))
    if shared is not None and is_enough:
        line = _("On the {posts} test posts that both were measured on; in brackets: 95% interval.")
        quiet(line.format(posts=f"{shared.posts:,}"))
    elif not comparison.is_same_test:
        note(_("They were not measured on the same test posts: their figures differ for that reason too."))


def _shared_rows(shared: Differences) -> list[Sequence[Cell]]:
    is_enough = shared.violations >= FEWEST_VIOLATIONS
    return [
        (_("violations caught"), *_shared(shared.caught if is_enough else None)),
        (_("flags that were right"), *_shared(shared.right if is_enough else None)),
        (_("macro-F1"), *_shared(shared.macro_f1, decimal)),
    ]


def _shared(change: Difference | None, formatted: Formatted = percent) -> Sequence[Cell]:
    if change is None:
        few = Markup("<small>{}</small>").format(_("too few posts"))
        return few, few, ""
    low, high = change.interval
    points = _("{change} points [{low}, {high}]").format(
        change=_points(change.difference), low=_points(low), high=_points(high)
    )
    return formatted(change.one), formatted(change.other), points


def _points(change: float) -> str:
    """In hundredths; without a sign if it rounds to zero."""
    points = round(100 * change)
    return f"{points:+}" if points else "0"


def _own_rows(comparison: RoundComparison) -> list[Sequence[Cell]]:
    sides = [read_measured(side.facts["metrics"]) for side in (comparison.first, comparison.second)]
    return [
        (_("violations caught"), *(_own(side, side and side.caught) for side in sides)),
        (_("flags that were right"), *(_own(side, side and side.right) for side in sides)),
        (_("macro-F1"), *(_own(side, side and side.macro_f1, decimal) for side in sides)),
        (_("test posts"), *("–" if side is None else f"{side.posts:,}" for side in sides)),
    ]


def _own(side: Measured | None, figure: Figure | Measured | None, formatted: Formatted = percent) -> Cell:
    if not isinstance(figure, Figure):
        return Markup("<small>{}</small>").format(basis(side, None))
    return Markup('{} <small class="whole">{}</small>').format(
        value(figure, formatted), interval(figure, formatted)
    )


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
        color=altair.Color(f"{title}:N", legend=altair.Legend(orient="bottom", title=None)),
        shape=altair.Shape(f"{title}:N", legend=None),
        tooltip=[title, altair.Tooltip(sure, format=".0%"), altair.Tooltip(right, format=".0%"), posts],
    )
    quiet(_("How often it was right, by how certain it was; on the thin line certainty is exact."))
    exact = line.mark_line(strokeWidth=1, opacity=0.4).encode(x=f"{sure}:Q", y=f"{right}:Q")
    drawn = measured.mark_line(strokeWidth=2) + measured.mark_point(filled=True, size=50)
    st.altair_chart((exact + drawn).properties(height=CHART_HEIGHT), width=CHART_WIDTH)
