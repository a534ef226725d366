"""The newest weeks: share of violations and drift of the scores; settings for a queue that only watches."""

from collections.abc import Sequence

from markupsafe import Markup

from trainer.statistics.drift import CHANGED, MOVED
from trainer.statistics.proportions import Share, wilson
from workbench.overview.weeks import A_DAY, WATCHING, Week
from workbench.web.elements.markup import html
from workbench.web.elements.tables import Cell, table
from workbench.web.elements.widgets import heading, quiet
from workbench.web.wording.i18n import _

USUAL = 0.05
"""Share of violations in the example, until one is measured."""


def show_weeks(weeks: Sequence[Week], *, is_watching: bool) -> None:
    heading(_("Week by week"))
    if not weeks:
        quiet(_("Once a round is in use, each week's share of violations stands here."))
        return
    headings = (_("week of"), _("posts"), _("drawn"), _("violations"), _("scores"))
    html(table(map(_row, weeks), headings, has_numbers=True, is_grid=True))
    quiet(_("Violations among the posts drawn at random and labelled, with 95% intervals."))
    if is_watching:
        quiet(_watching_line(weeks))


def _row(week: Week) -> Sequence[Cell]:
    share = week.violations
    return (
        f"{week.monday:%m-%d}",
        week.posts or "–",
        "–" if share is None else share.rows,
        _violations(share),
        _drift(week.drift),
    )


def _violations(share: Share | None) -> str:
    if share is None:
        return "–"
    low, high = share.interval
    small = f"{100 * low:.1f}–{high:.1%}"
    return Markup('{} <small class="whole">{}</small>').format(f"{share.mean:.1%}", small)


def _drift(drift: float | None) -> str:
    if drift is None:
        return "–"
    return _("moved") if drift >= MOVED else _("changed") if drift >= CHANGED else _("as before")


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
