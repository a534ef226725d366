"""`workbench policy` and `decide`: thresholds, and the verdicts by them."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from trainer.statistics.thresholds import NEVER, Prices
from workbench import accounts
from workbench.commands.terminal import HomeOption, JsonOption, err, out, print_json, say_worker
from workbench.errors import RoundError
from workbench.project import Project, open_project
from workbench.thresholds import policy, verdicts
from workbench.thresholds.verdicts import VerdictFile

commands = typer.Typer()
policy_app = typer.Typer(help="Thresholds by cost.", invoke_without_command=True)
commands.add_typer(policy_app, name="policy")


@policy_app.callback()
def policy_command(
    context: typer.Context,
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Versions of the thresholds, the newest is in force."""
    if context.invoked_subcommand is not None:
        return
    project = open_project(home)
    with project.database.read() as session:
        versions = policy.history(session)
    if as_json:
        print_json(versions=versions)
        return
    if not versions:
        out.print(_first_step(project), markup=False, soft_wrap=True)
        return
    for row in versions:
        prices = " / ".join(f"{row['prices'].get(name, 0):g}" for name in ("missed", "false_alarm", "look"))
        out.print(
            f"{row['version']}: passes below {row['pass_below']:g}, flagged from {_flag_from(row['flag_from'])}; "
            f"band {row['band'][0]:g} to {row['band'][1]:g}; prices {prices}; round {row['round'] or 'none'}; "
            f"{row['by']}, {row['created_at'][:16].replace('T', ' ')}",
            markup=False,
            soft_wrap=True,
        )


def _first_step(project: Project) -> str:
    """What thresholds still need, or how to set them."""
    try:
        policy.read_evidence(project, accounts.command_line(project))
    except RoundError as error:
        return f"There are no thresholds yet. {error}"
    return (
        "There are no thresholds yet, and the labels for them suffice. Set some by what mistakes cost: "
        "workbench policy set --missed 20 --false-alarm 5 --look 1"
    )


@policy_app.command("set")
def policy_set(
    missed: Annotated[float, typer.Option(min=0, help="What a missed violation costs.")],
    false_alarm: Annotated[float, typer.Option(min=0, help="What a wrong flag costs.")],
    look: Annotated[float, typer.Option(min=0, help="What it costs when a person looks at a post.")],
    home: HomeOption = Path(),
    low: Annotated[float | None, typer.Option(help="Low end of the band people label.")] = None,
    high: Annotated[float | None, typer.Option(help="High end of the band people label.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Put the cheapest thresholds in force, and fill the queue again by the band."""
    project = open_project(home)
    account = accounts.command_line(project)
    proposal = policy.propose(policy.read_evidence(project, account), Prices(missed, false_alarm, look))
    version = policy.save(project, account, proposal, low=low, high=high)
    if as_json:
        print_json(version=version, **proposal.to_dict())
        return
    chosen, cost = proposal.choice.thresholds, proposal.expected.cost
    out.print(
        f"Version {version}: a post passes below {chosen.pass_below:g}, is flagged from "
        f"{_flag_from(chosen.flag_from)}; of {sum((proposal.whole.passed, proposal.whole.human, proposal.whole.flagged)):,} "
        f"posts {proposal.whole.passed:,} pass, people look at {proposal.whole.human:,}, {proposal.whole.flagged:,} are flagged."
    )
    out.print(
        f"A thousand posts cost {1000 * cost.mean:,.0f} ({1000 * cost.interval[0]:,.0f} to "
        f"{1000 * cost.interval[1]:,.0f}, 95%) by {proposal.expected.rows:,} test posts; "
        f"looking at every one would cost {1000 * proposal.all_looked_at:,.0f}."
    )
    say_worker(project)


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
    new_only: Annotated[
        bool,
        typer.Option(
            "--new-only",
            help="Of all imports, only the posts without a verdict so far or with another one; each comes once.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write what is to happen to each new post: pass, human or flag."""
    project = open_project(home)
    account = accounts.command_line(project)
    decided = verdicts.decide(project, account, since=since, version=version, out=file, is_new_only=new_only)
    if as_json:
        print_json(**decided.to_dict())
        return
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in decided.verdicts.items())
    out.print(
        f"{decided.file}: {decided.rows:,} posts: {counts}; {decided.by_people:,} of them by people.",
        markup=False,
        soft_wrap=True,
    )
    out.print(_news(decided), soft_wrap=True)
    if decided.rows:
        _print_missed(decided)
    if decided.chosen_for != decided.round_number:
        err.print(
            f"The thresholds were not chosen for round {decided.round_number}, which is in use: set them again with "
            "`workbench policy set`.",
            markup=False,
            soft_wrap=True,
        )
    if decided.waiting:
        err.print(f"{decided.waiting:,} posts are not scored yet: they come next time.")


def _print_missed(decided: VerdictFile) -> None:
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


def _news(decided: VerdictFile) -> str:
    if decided.is_new_only and not decided.rows:
        return "Nothing is new: every post still has the verdict that it was last given."
    return f"{decided.new:,} posts have a verdict for the first time, {decided.changed:,} another one than last time."


def _flag_from(threshold: float) -> str:
    return "never" if threshold >= NEVER else f"{threshold:g}"
