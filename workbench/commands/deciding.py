"""`workbench decide`: verdicts for the forum's own systems."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from workbench import accounts
from workbench.commands.terminal import HomeOption, JsonOption, err, out, print_json
from workbench.project import open_project
from workbench.thresholds import verdicts

commands = typer.Typer()


@commands.command("decide")
def decide_command(
    home: HomeOption = Path(),
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            help="Posts imported since then; without it since the last time.",
        ),
    ] = None,
    version: Annotated[
        int | None, typer.Option("--policy", help="A version of the thresholds; without it the newest.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--out", help="The TSV file; without it in data/verdicts.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write what is to happen to each new post: pass, human or flag."""
    project = open_project(home)
    account = accounts.command_line(project)
    decided = verdicts.decide(project, account, since=since, version=version, out=file)
    if as_json:
        print_json(**decided.to_dict())
        return
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in decided.verdicts.items())
    out.print(
        f"{decided.file}: {decided.rows:,} posts: {counts}; {decided.by_people:,} of them by people.",
        markup=False,
        soft_wrap=True,
    )
    missed = decided.missed
    if decided.unscored:
        out.print(
            f"{decided.unscored:,} of them have no score, as this machine is too slow to score all: they are for people, "
            "without a label. How many violations passed cannot be told from the others, which were chosen.",
            soft_wrap=True,
        )
    elif missed.estimate is None or missed.interval is None:
        out.print("How many violations passed cannot be told: no blind test post passes.")
    else:
        low, high = missed.interval
        out.print(
            f"Of the posts the model let pass about {missed.estimate:,.0f} ({low:,.0f} to {high:,.0f}, 95%) are "
            f"violations, by {missed.test_posts:,} blind test posts.",
            soft_wrap=True,
        )
    if decided.chosen_for != decided.round_number:
        err.print(
            f"The thresholds were not chosen for round {decided.round_number}, which is in use: set them again with "
            "`workbench policy set`.",
            markup=False,
            soft_wrap=True,
        )
    if decided.waiting:
        err.print(f"{decided.waiting:,} posts are not scored yet: they come next time.")
