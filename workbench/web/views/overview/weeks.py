"""The newest weeks: what share of the posts are violations, whether scores move; and how to go on by watching."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from trainer.statistics.drift import CHANGED, MOVED
from trainer.statistics.proportions import wilson
from workbench.overview.weeks import A_DAY, WATCHING, Week
from workbench.web.elements.widgets import heading
from workbench.web.wording.i18n import _

USUAL = 0.05
"""A share of violations for the example while none is known."""


def show_weeks(weeks: Sequence[Week], *, is_watching: bool) -> None:
    """The table, and what the queue should be made of once only watching is left to do."""
    if not weeks:
        return
    heading(_("Week by week"))
    names = (_("week of"), _("posts"), _("drawn and labelled"), _("violations among them"), _("scores"))
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = "".join(map(_row, weeks))
    st.html(f'<table class="rows"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>')
    lines = [
        _(
            "Only posts drawn at random and labelled count here, weighted by what they stand for, with 95% intervals. Scores: how far that week's lie from all before (PSI)."
        )
    ]
    if is_watching:
        lines.append(_watching_line(weeks))
    st.html("".join(f'<div class="quiet">{escape(line)}</div>' for line in lines))


def _row(week: Week) -> str:
    share = week.violations
    told = "–"
    if share is not None:
        told = f"{share.mean:.1%} [{share.interval[0]:.1%}, {share.interval[1]:.1%}]"
    cells = (
        week.monday.isoformat(),
        f"{week.posts:,}" if week.posts else "–",
        f"{share.rows:,}" if share else "–",
        told,
        _drift(week.drift),
    )
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"


def _drift(drift: float | None) -> str:
    if drift is None:
        return "–"
    word = _("moved") if drift >= MOVED else _("changed") if drift >= CHANGED else _("as before")
    return f"{word} ({drift:.2f})"


def _watching_line(weeks: Sequence[Week]) -> str:
    known = [week.violations.mean for week in weeks if week.violations is not None]
    share = known[-1] if known else USUAL
    low, high = wilson(share, 7 * A_DAY)
    line = _(
        "To watch, set in workbench.toml: uncertain_share = {uncertain}, random_share = {random}, violation_share = {violation}, second_opinion_share = {second}, held_out_share = {held_out}. {count} posts a day, labelled without a suggestion in sight, tell a week's share of {share} as {low} to {high}."
    )
    return line.format(
        uncertain=WATCHING.uncertain,
        random=WATCHING.random,
        violation=WATCHING.violation,
        second=WATCHING.second_opinion,
        held_out=WATCHING.held_out,
        count=A_DAY,
        share=f"{share:.1%}",
        low=f"{low:.1%}",
        high=f"{high:.1%}",
    )
