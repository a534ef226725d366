"""`workbench overview`: the figures of the lead's page."""

from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

from workbench import accounts
from workbench.commands.terminal import HomeOption, JsonOption, out, partly_scored_line, print_json
from workbench.overview.advice import Advice
from workbench.overview.figures import Overview, read_overview
from workbench.overview.weeks import Week, read_weeks
from workbench.project import open_project

commands = typer.Typer()

ADVICE = {
    "import": "import posts",
    "import more": "import more posts: every one is labelled",
    "label": "label {count} more posts, of two labels at least: then a first round can be trained",
    "start": "start a round: {count} new labels are waiting for it",
    "decide": "decide on round {count}",
    "settle": "settle {count} posts: people disagree about them, or ask",
    "held out": "label {count} more held-out posts: a round is judged by them",
    "wait": "nothing: round {count} is under way",
    "more of": "label on, {label} above all: there are only {count} to learn from",
    "watch": "stop labelling for the model: it hardly changes any more. Watch with a small blind sample a day",
    "go on": "label on",
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
    out.print(f"Next: {_advice(overview.advice)}.", markup=False, soft_wrap=True)


def _rows(overview: Overview) -> list[tuple[str, str]]:
    judged = overview.agreement
    alpha = "" if judged is None or judged.ordinal is None else f", alpha {judged.ordinal:.2f}"
    rows = [
        ("posts", f"{overview.posts:,}"),
        ("labelled", f"{overview.labelled:,}"),
        ("in the band", f"{overview.in_band:,}"),
        ("below it", f"{overview.below_band:,}"),
        ("agreement", "none" if judged is None else f"{judged.share:.0%}{alpha} on {judged.posts:,} posts"),
        ("macro-F1", "none" if overview.macro_f1 is None else f"{overview.macro_f1:.3f}"),
    ]
    rows += [(label, f"{sum(counts.values()):,}") for label, counts in overview.labels.items()]
    if reasons := overview.not_used.reasons():
        rows.append(("labelled, not used yet", "; ".join(map(str, reasons))))
    return rows


def _week_row(week: Week) -> tuple[str, str]:
    share = week.violations
    violations = "none drawn"
    if share is not None:
        violations = f"{share.mean:.1%} ({share.interval[0]:.1%} to {share.interval[1]:.1%})"
    drift = "" if week.drift is None else f"; drift {week.drift:.2f}"
    return f"week of {week.monday}", f"violations {violations}{drift}"


def _advice(advice: Advice) -> str:
    return ADVICE[advice.step].format(count=f"{advice.count:,}", label=advice.label)
