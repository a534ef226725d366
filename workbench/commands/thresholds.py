"""`workbench policy` and `decide`: thresholds, and the verdicts by them."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from trainer.statistics.thresholds import NEVER, Prices
from workbench import accounts
from workbench.commands.terminal import HomeOption, JsonOption, print_json, say, say_worker, warn
from workbench.commands.wording.language import _
from workbench.commands.wording.words import counts_text, word
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
        _say_first_step(project)
        return
    for row in versions:
        prices = " / ".join(f"{row['prices'].get(name, 0):g}" for name in ("missed", "false_alarm", "look"))
        say(
            "{version}: passes below {pass_below:g}, flagged from {flag_from}; band {low:g} to {high:g}; prices {prices}; "
            "round {round}; {by}, {time}",
            version=row["version"],
            pass_below=row["pass_below"],
            flag_from=_flag_from(row["flag_from"]),
            low=row["band"][0],
            high=row["band"][1],
            prices=prices,
            round=row["round"] or _("none"),
            by=word(row["by"]),
            time=row["created_at"][:16].replace("T", " "),
        )


def _say_first_step(project: Project) -> None:
    """What thresholds still need, or how to set them."""
    try:
        policy.read_evidence(project, accounts.command_line(project))
    except RoundError as error:
        say("There are no thresholds yet. {problem}", problem=error.message)
        return
    say(
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
    chosen, cost, whole = proposal.choice.thresholds, proposal.expected.cost, proposal.whole
    say(
        "Version {version}: a post passes below {pass_below:g}, is flagged from {flag_from}; of {posts:,} posts {passed:,} "
        "pass, people look at {human:,}, {flagged:,} are flagged.",
        version=version,
        pass_below=chosen.pass_below,
        flag_from=_flag_from(chosen.flag_from),
        posts=sum((whole.passed, whole.human, whole.flagged)),
        passed=whole.passed,
        human=whole.human,
        flagged=whole.flagged,
    )
    say(
        "A thousand posts cost {mean:,.0f} ({low:,.0f} to {high:,.0f}, 95%) by {rows:,} test posts; looking at every one "
        "would cost {all:,.0f}.",
        mean=1000 * cost.mean,
        low=1000 * cost.interval[0],
        high=1000 * cost.interval[1],
        rows=proposal.expected.rows,
        all=1000 * proposal.all_looked_at,
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
    say(
        "{file}: {rows:,} posts: {counts}; {by_people:,} of them by people.",
        file=decided.file,
        rows=decided.rows,
        counts=counts_text(decided.verdicts),
        by_people=decided.by_people,
    )
    _say_news(decided)
    if decided.rows:
        _say_missed(decided)
    if decided.chosen_for != decided.round_number:
        warn(
            "The thresholds were not chosen for round {number}, which is in use: set them again with "
            "`workbench policy set`.",
            number=decided.round_number,
        )
    if decided.waiting:
        warn("{count:,} posts are not scored yet: they come next time.", count=decided.waiting)


def _say_missed(decided: VerdictFile) -> None:
    missed = decided.missed
    if decided.unscored:
        say(
            "{count:,} of them have no score, as this machine is too slow to score all: they are for people, without a "
            "label. How many violations passed cannot be told from the others, which were chosen.",
            count=decided.unscored,
        )
    elif missed.estimate is None or missed.interval is None:
        say("How many violations passed cannot be told: no blind test post passes.")
    else:
        low, high = missed.interval
        say(
            "Of the posts the model let pass about {estimate:,.0f} ({low:,.0f} to {high:,.0f}, 95%) are violations, by "
            "{posts:,} blind test posts.",
            estimate=missed.estimate,
            low=low,
            high=high,
            posts=missed.test_posts,
        )


def _say_news(decided: VerdictFile) -> None:
    if decided.is_new_only and not decided.rows:
        say("Nothing is new: every post still has the verdict that it was last given.")
        return
    say(
        "{new:,} posts have a verdict for the first time, {changed:,} another one than last time.",
        new=decided.new,
        changed=decided.changed,
    )


def _flag_from(threshold: float) -> str:
    return _("never") if threshold >= NEVER else f"{threshold:g}"
