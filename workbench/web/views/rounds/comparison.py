"""Two rounds of the history, ticked: figures and confusions side by side, reliability, changed verdicts."""

from collections.abc import Sequence
from html import escape
from typing import Any

import altair
import pandas
import streamlit as st

from trainer.labels import LABELS
from workbench.accounts import Account
from workbench.errors import WorkbenchError
from workbench.rounds.comparison import Example, RoundComparison, Side, compare_rounds, made_of
from workbench.rounds.flips import ENTERED, FLIP_KINDS, LEFT, Flips
from workbench.web.elements.visible import post_html
from workbench.web.elements.widgets import decimal, heading, note, percent, refusal
from workbench.web.opened import project
from workbench.web.views.rounds.history import confusion_html
from workbench.web.wording.i18n import _
from workbench.web.wording.words import label_html, label_word

MOST_OFFERED = 30
CHART_HEIGHT, CHART_WIDTH = 280, 560


def show_comparison(account: Account, history: Sequence[dict[str, Any]]) -> None:
    """Offer the rounds that were measured, and compare the two that are ticked."""
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
    """Kept while the two, their scores and the band stay the same: ten million scores are read in some ten seconds."""
    asked = (first, second, *made_of(project(), first, second))
    answered, kept = st.session_state.get("comparison", (None, None))
    if kept is None or answered != asked:
        with st.spinner(_("Reading their scores …")):
            kept = compare_rounds(project(), account, first, second)
        st.session_state["comparison"] = asked, kept
    found: RoundComparison = kept
    return found


def _show(found: RoundComparison) -> None:
    st.html(_figures(found))
    if not found.is_same_test:
        note(_("They were not measured on the same test posts: their figures differ for that reason too."))
    for column, side in zip(st.columns(2), (found.first, found.second), strict=True):
        with column:
            st.html(f'<div class="quiet">{escape(_title(side))}</div>{confusion_html(side.facts["metrics"])}')
    _reliability(found)
    if found.flips is None:
        note(_("One of them has scored no posts yet, so changed verdicts cannot be told."))
        return
    if found.is_sample:
        note(_("Not all posts were scored: this is a random sample of those that both have scored."))
    _flips(found.flips, found)
    _examples(found)


def _title(side: Side) -> str:
    return _("Round {number}").format(number=side.number)


def _figures(found: RoundComparison) -> str:
    sides = [side.facts["metrics"] for side in (found.first, found.second)]
    rows = [
        (_("violations caught"), [_of_label(metrics, "recall") for metrics in sides]),
        (_("flags that were right"), [_of_label(metrics, "precision") for metrics in sides]),
        (_("macro-F1"), [_with(metrics, "macro_f1", decimal) for metrics in sides]),
        (_("calibration error"), [_with(metrics, "ece", decimal) for metrics in sides]),
        (_("linear baseline"), [decimal(metrics.get("linear_macro_f1")) for metrics in sides]),
        (_("test posts"), [f"{metrics['n']:,}" for metrics in sides]),
    ]
    titles = "".join(f"<th>{escape(_title(side))}</th>" for side in (found.first, found.second))
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, cells in rows
    )
    interval = escape(_("in brackets: 95% interval"))
    return (
        f'<table class="rows"><thead><tr><th></th>{titles}</tr></thead><tbody>{body}</tbody></table>'
        f'<div class="quiet">{interval}</div>'
    )


def _of_label(metrics: dict[str, Any], name: str) -> str:
    return _with(metrics["per_label"]["violation"], name, percent)


def _with(values: dict[str, Any], name: str, written: Any) -> str:
    """A figure and its interval, where it has one."""
    low, high = values.get("intervals", {}).get(name, (None, None))
    figure: str = written(values.get(name))
    return figure if low is None else f"{figure} [{written(low)}, {written(high)}]"


def _reliability(found: RoundComparison) -> None:
    rows = [
        (_title(side), one.confidence, one.right, one.weight)
        for side in (found.first, found.second)
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
    st.html(
        f'<div class="quiet">{escape(_("How often it was right, by how certain it was; on the thin line certainty is exact."))}</div>'
    )
    exact = line.mark_line(strokeWidth=1, opacity=0.4).encode(x=f"{sure}:Q", y=f"{right}:Q")
    drawn = measured.mark_line(strokeWidth=2) + measured.mark_point(filled=True, size=50)
    st.altair_chart((exact + drawn).properties(height=CHART_HEIGHT), width=CHART_WIDTH)


def _flips(flips: Flips, found: RoundComparison) -> None:
    heading(_("Changed verdicts"))
    changed = _("{changed} of {posts} posts changed their verdict.")
    band = _(
        "Model unsure (certainty {low} to {high}): {before} posts before, {entered} came in, {left} went out, {after} now."
    ).format(
        low=decimal(found.band.low),
        high=decimal(found.band.high),
        before=f"{flips.band_before:,}",
        entered=f"{flips.entered:,}",
        left=f"{flips.left:,}",
        after=f"{flips.band_after:,}",
    )
    told = changed.format(changed=f"{flips.changed:,}", posts=f"{flips.posts:,}")
    corner = _("round {first} ↓  round {second} →").format(
        first=found.first.number, second=found.second.number
    )
    head = "".join(f'<th class="number">{label_html(label)}</th>' for label in LABELS)
    body = "".join(
        f"<tr><th>{label_html(label)}</th>{''.join(f'<td class=number>{count:,}</td>' for count in row)}</tr>"
        for label, row in zip(LABELS, flips.matrix, strict=True)
    )
    st.html(
        f'<div class="quiet">{escape(told)} {escape(band)}</div><table class="rows"><thead><tr>'
        f"<th>{escape(corner)}</th>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _examples(found: RoundComparison) -> None:
    if not found.examples:
        return
    kind = st.selectbox(_("Largest changes"), list(found.examples), format_func=_kind_word, key="flip-kind")
    quiet = escape(_("At most 20 of a kind; posts kept for checking the model are not shown."))
    st.html(f'<div class="quiet">{quiet}</div>{"".join(map(_example, found.examples[kind]))}')


def _kind_word(kind: str) -> str:
    if kind == ENTERED:
        return _("now the model is unsure")
    if kind == LEFT:
        return _("the model was unsure")
    before, after = FLIP_KINDS[kind]
    return f"{label_word(before)} → {label_word(after)}"


def _example(one: Example) -> str:
    said = ""
    if one.labels:
        said = f" · {escape(_('people say'))} {' / '.join(map(label_html, one.labels))}"
    return (
        f'<div class="case"><div class="post small" dir="auto" lang="zh">{post_html(one.text)}</div>'
        f'<div class="facts">{_verdict(one.before)} → {_verdict(one.after)}{said}</div></div>'
    )


def _verdict(probabilities: Sequence[float]) -> str:
    top = max(probabilities)
    return f"{label_html(LABELS[probabilities.index(top)])} {percent(top)}"
