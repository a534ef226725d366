"""The newest weeks: share of violations and drift of the scores; settings for a queue that only watches."""

from collections.abc import Sequence

from trainer.statistics.drift import CHANGED, MOVED
from trainer.statistics.proportions import wilson
from workbench.overview.weeks import A_DAY, WATCHING, Week
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import heading, quiet
from workbench.web.wording.i18n import _

USUAL = 0.05
"""Share of violations in the example, until one is measured."""


def show_weeks(weeks: Sequence[Week], *, is_watching: bool) -> None:
    if not weeks:
        return
    heading(_("Week by week"))
    headings = (_("week of"), _("posts"), _("drawn and labelled"), _("violations among them"), _("scores"))
    html(table(map(_row, weeks), headings))
    lines = [
        _(
            "Only posts drawn at random and labelled count here, weighted by what they stand for, with 95% intervals. Scores: how far that week's lie from all before (PSI)."
        )
    ]
    if is_watching:
        lines.append(_watching_line(weeks))
    quiet(*lines)


def _row(week: Week) -> Sequence[Cell]:
    share = week.violations
    violations = "–"
    if share is not None:
        violations = f"{share.mean:.1%} [{share.interval[0]:.1%}, {share.interval[1]:.1%}]"
    return (
        week.monday.isoformat(),
        week.posts or "–",
        share.rows if share else "–",
        violations,
        _drift(week.drift),
    )


def _drift(drift: float | None) -> str:
    if drift is None:
        return "–"
    word = _("moved") if drift >= MOVED else _("changed") if drift >= CHANGED else _("as before")
    return f"{word} ({drift:.2f})"


def _watching_line(weeks: Sequence[Week]) -> str:
    shares = [week.violations.mean for week in weeks if week.violations is not None]
    share = shares[-1] if shares else USUAL
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
