"""Charts of several screens, in theme colours that are readable in light and dark mode."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import altair
import numpy as np
import pandas
import streamlit as st
from numpy.typing import NDArray

from trainer.statistics.proportions import Interval
from workbench.overview.figures import Ahead, OnCurve

HEIGHT = 170
PLACES = 20
"""Width of a bar, in thousandths."""
QUIET = "#8a8781"
"""Readable on light and dark backgrounds."""


@dataclass(frozen=True)
class InWeek:
    monday: date
    value: float
    interval: Interval | None = None


def histogram(
    thousandths: NDArray[np.int64],
    title: str,
    *,
    marks: Sequence[tuple[float, str]] = (),
    shaded: tuple[float, float] | None = None,
    start: float = 0.0,
    is_rooted: bool = False,
) -> None:
    """A histogram of posts by a score between 0 and 1.

    Args:
        thousandths: (1001,) number of posts per thousandth of the score.
        marks: vertical lines, each at a score and with a word.
        shaded: an interval of the score with a grey background.
        is_rooted: square-root scale of the counts, for posts concentrated at one end.
    """
    first = int(start * 1000) // PLACES * PLACES
    counts = np.add.reduceat(thousandths[:1000], np.arange(0, 1000, PLACES))
    counts[-1] += thousandths[1000:].sum()
    places = np.arange(0, 1000, PLACES) / 1000
    table = pandas.DataFrame({"from": places, "to": places + PLACES / 1000, "posts": counts, "none": 0})
    scale = altair.Scale(domain=[first / 1000, 1])
    across = altair.X("from:Q", title=title, scale=scale, axis=altair.Axis(grid=False))
    up = altair.Y(
        "posts:Q",
        title=None,
        scale=altair.Scale(type="sqrt" if is_rooted else "linear"),
        axis=altair.Axis(tickCount=4, format="~s"),
    )
    bars = (
        altair.Chart(table[table["from"] * 1000 >= first - 1])
        .mark_bar(opacity=0.85, binSpacing=1)
        .encode(x=across, x2="to:Q", y=up, y2="none:Q", tooltip=["from:Q", "to:Q", "posts:Q"])
    )
    layers = [bars]
    if shaded is not None:
        ground = pandas.DataFrame({"from": [shaded[0]], "to": [shaded[1]]})
        band = altair.Chart(ground).mark_rect(opacity=0.22, color=QUIET).encode(x=across, x2="to:Q")
        layers.insert(0, band)
    if marks:
        lines = pandas.DataFrame(marks, columns=["from", "word"])
        # Above the bars, one line of text per word: two marks may be close together.
        lines["line"] = [-6.0 - 14 * at for at in range(len(lines))]
        base = altair.Chart(lines).encode(x=across)
        align = altair.expr("datum.from < 0.5 ? 'left' : 'right'")
        layers.append(base.mark_rule(color=QUIET, strokeDash=[4, 3], size=1.5))
        layers.append(
            base.mark_text(align=align, color=QUIET, fontWeight="bold").encode(
                text="word:N", y=altair.Y("line:Q", scale=None, axis=None)
            )
        )
    # Without padding of its own, Streamlit cuts off the upper half of a word above the bars.
    chart = altair.layer(*layers).properties(height=HEIGHT + 14 * len(marks), padding={"top": 8})
    st.altair_chart(chart.resolve_scale(y="independent"), width="stretch")


def learning_curve(curve: Sequence[OnCurve], ahead: Sequence[Ahead], across: str, up: str) -> None:
    points = pandas.DataFrame(
        [
            {
                "labels": point.labels,
                "score": point.macro_f1,
                "low": point.interval[0],
                "high": point.interval[1],
            }
            for point in curve
        ]
    )
    coming = pandas.DataFrame(
        [
            {"labels": point.labels, "score": point.macro_f1, "low": point.low, "high": point.high}
            for point in ahead
        ]
    )
    x = altair.X(
        "labels:Q", title=across, axis=altair.Axis(grid=False, tickCount=8), scale=altair.Scale(zero=False)
    )
    y = altair.Y(
        "score:Q", title=up, scale=altair.Scale(zero=False), axis=altair.Axis(format=".2f", tickCount=5)
    )
    measured, forecast = altair.Chart(points).encode(x=x), altair.Chart(coming).encode(x=x)
    layers = [
        forecast.mark_area(opacity=0.18, color=QUIET).encode(y=altair.Y("low:Q"), y2="high:Q"),
        forecast.mark_line(strokeDash=[4, 3], color=QUIET).encode(y=y),
        measured.mark_rule(size=1.5, color=QUIET).encode(y=altair.Y("low:Q"), y2="high:Q"),
        measured.mark_line(point=True).encode(y=y, tooltip=["labels:Q", "score:Q", "low:Q", "high:Q"]),
    ]
    st.altair_chart(altair.layer(*layers).properties(height=HEIGHT + 40), width="stretch")


def measured_curve(curve: Sequence[OnCurve], names: tuple[str, str], across: str) -> None:
    """Violations caught and flags that were right, by number of labels, with their intervals."""
    most = max(point.labels for point in curve)
    rows = [
        {
            "labels": point.labels,
            # Two intervals at the same number of labels would cover each other.
            "beside": point.labels + place * most / 200,
            "name": name,
            "value": figure.value,
            "low": (figure.interval or (figure.value,))[0],
            "high": (figure.interval or (figure.value,))[-1],
        }
        for point in curve
        if point.measured is not None
        for name, place, figure in zip(
            names, (-1, 1), (point.measured.caught, point.measured.right), strict=True
        )
        if figure is not None
    ]
    base = altair.Chart(pandas.DataFrame(rows)).encode(
        x=altair.X("labels:Q", title=across, axis=altair.Axis(grid=False, tickCount=6)),
        color=altair.Color(
            "name:N", sort=names, legend=altair.Legend(orient="top", title=None, offset=4, symbolOpacity=1)
        ),
    )
    up = altair.Scale(domain=[0, 1])
    layers = [
        base.mark_rule(size=1.5, opacity=0.45).encode(
            x="beside:Q", y=altair.Y("low:Q", scale=up), y2="high:Q"
        ),
        base.mark_line(point=altair.OverlayMarkDef(size=50)).encode(
            y=altair.Y("value:Q", title=None, scale=up, axis=altair.Axis(format="%", tickCount=5)),
            tooltip=[
                altair.Tooltip("name:N", title=" "),
                altair.Tooltip("labels:Q", title=across),
                *(altair.Tooltip(f"{one}:Q", format=".0%") for one in ("value", "low", "high")),
            ],
        ),
    ]
    st.altair_chart(altair.layer(*layers).properties(height=HEIGHT + 70), width="stretch")


def weekly(
    points: Sequence[InWeek],
    title: str | None = None,
    *,
    goal: float | None = None,
    numbers: str = "~",
    height: int = HEIGHT,
) -> None:
    """A line over weeks with intervals; `goal` is a dashed line across, `numbers` the format of the axis."""
    rows = [
        {
            # A text, as a date would be drawn in the reader's time zone, and Monday be Sunday.
            "week": f"{point.monday:%m-%d}",
            "value": point.value,
            "low": (point.interval or (point.value,))[0],
            "high": (point.interval or (point.value,))[-1],
        }
        for point in points
    ]
    across = altair.X("week:O", sort=None, title=None, axis=altair.Axis(labelAngle=0))
    up = altair.Y(
        "value:Q", title=title, scale=altair.Scale(zero=False), axis=altair.Axis(format=numbers, tickCount=4)
    )
    base = altair.Chart(pandas.DataFrame(rows)).encode(x=across)
    layers: list[altair.Chart] = [
        base.mark_rule(size=1.5, color=QUIET).encode(y=altair.Y("low:Q"), y2="high:Q"),
        base.mark_line(point=True).encode(y=up, tooltip=["week:O", "value:Q", "low:Q", "high:Q"]),
    ]
    if goal is not None:
        line = altair.Chart(pandas.DataFrame({"goal": [goal]}))
        layers.append(line.mark_rule(color=QUIET, strokeDash=[4, 3]).encode(y="goal:Q"))
    st.altair_chart(altair.layer(*layers).properties(height=height), width="stretch")
