"""`workbench overview`: the figures of the lead's page."""

from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from trainer.messages import Message
from workbench import accounts
from workbench.commands.terminal import HomeOption, JsonOption, out, partly_scored_line, print_json, say
from workbench.commands.wording.language import N_, _, filled, told
from workbench.commands.wording.words import word
from workbench.overview.advice import Advice
from workbench.overview.figures import Overview, read_overview
from workbench.overview.weeks import Week, read_weeks
from workbench.project import open_project

commands = typer.Typer()

ADVICE = {
    "import": N_("import posts"),
    "import more": N_("import more posts: every one is labelled"),
    "label": N_("label {count} more posts, of two labels at least: then a first round can be trained"),
    "start": N_("start a round: {count} new labels are waiting for it"),
    "decide": N_("decide on round {count}"),
    "settle": N_("settle {count} posts: people disagree about them, or ask"),
    "held out": N_("label {count} more test posts: a round is judged by them"),
    "wait": N_("nothing: round {count} is under way"),
    "more of": N_("label on, {label} above all: there are only {count} to learn from"),
    "watch": N_(
        "stop labelling for the model: it hardly changes any more. Watch with a small blind sample a day"
    ),
    "go on": N_("label on"),
}


@commands.command("overview")
def overview_command(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """Where the project stands, and what to do next."""
    project = open_project(home)
    midnight = project.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    account = accounts.command_line(project)
    overview, weeks = read_overview(project, account, midnight), read_weeks(project, account)
    if as_json:
        print_json(**overview.to_dict(), weeks=[week.to_dict() for week in weeks])
        return
    table = Table(show_header=False, box=None)
    for name, value in (*_rows(overview), *map(_week_row, weeks)):
        table.add_row(name, Text(value))
    out.print(table)
    if overview.partly_scored is not None:
        out.print(partly_scored_line(overview.partly_scored), soft_wrap=True)
    say("Next: {advice}.", advice=_advice(overview.advice))


def _rows(overview: Overview) -> list[tuple[str, str]]:
    judged = overview.agreement
    alpha = (
        ""
        if judged is None or judged.ordinal is None
        else filled(", alpha {alpha:.2f}", alpha=judged.ordinal)
    )
    agreement = _("none")
    if judged is not None:
        agreement = filled(
            "{share:.0%}{alpha} on {posts:,} posts", share=judged.share, alpha=alpha, posts=judged.posts
        )
    rows = [
        (_("posts"), f"{overview.posts:,}"),
        (_("labelled"), f"{overview.labelled:,}"),
        (_("in the band"), f"{overview.in_band:,}"),
        (_("below it"), f"{overview.below_band:,}"),
        (_("agreement"), agreement),
        ("macro-F1", _("none") if overview.macro_f1 is None else f"{overview.macro_f1:.3f}"),
    ]
    rows += [(word(label), f"{sum(counts.values()):,}") for label, counts in overview.labels.items()]
    if reasons := overview.not_used.reasons():
        rows.append((_("labelled, not used yet"), told(Message.joined(reasons))))
    return rows


def _week_row(week: Week) -> tuple[str, str]:
    share = week.violations
    violations = _("none drawn")
    if share is not None:
        low, high = share.interval
        violations = filled("{mean:.1%} ({low:.1%} to {high:.1%})", mean=share.mean, low=low, high=high)
    drift = "" if week.drift is None else filled("; drift {drift:.2f}", drift=week.drift)
    what = filled("violations {violations}{drift}", violations=violations, drift=drift)
    return filled("week of {monday}", monday=week.monday), what


def _advice(advice: Advice) -> str:
    return filled(ADVICE[advice.step], count=f"{advice.count:,}", label=advice.label and word(advice.label))
