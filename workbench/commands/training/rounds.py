"""`workbench round`: training rounds."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from trainer.labels import LABELS
from trainer.messages import Message
from workbench import accounts
from workbench.commands.progress import showing
from workbench.commands.terminal import (
    HomeOption,
    JsonOption,
    NumberArgument,
    cell,
    out,
    partly_scored_line,
    print_json,
    print_value,
    say,
    say_worker,
    tell,
)
from workbench.commands.training.waiting import Look
from workbench.commands.training.waiting import wait as wait_for
from workbench.commands.wording.language import N_, _, filled, listed, told
from workbench.commands.wording.words import word
from workbench.errors import WorkbenchError
from workbench.project import Project, open_project
from workbench.rounds import adoption, bundles, comparison, lifecycle, merged_export
from workbench.rounds.automatic import rules
from workbench.rounds.automatic.schedule import Rule, parse_time
from workbench.rounds.automatic.upcoming import read_upcoming
from workbench.rounds.comparison import RoundComparison, Side
from workbench.rounds.flips import FLIP_KINDS, Flips
from workbench.scores.round_scores import RoundScores

SHOWN_EXAMPLES = 5

commands = typer.Typer()
WaitOption = Annotated[bool, typer.Option("--wait", help="Stay until it has ended or awaits a decision.")]

round_app = typer.Typer(help="Training rounds.", no_args_is_help=True)
commands.add_typer(round_app, name="round")


@round_app.command("start")
def round_start(
    home: HomeOption = Path(),
    quick: Annotated[bool, typer.Option("--quick", help="A trial of a few minutes.")] = False,
    base: Annotated[str | None, typer.Option(help="Another base encoder for this round.")] = None,
    notes: str | None = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train and judge a new adapter."""
    project = open_project(home)
    number = lifecycle.start(project, accounts.command_line(project), is_quick=quick, base=base, notes=notes)
    _follow(project, number, wait, as_json)


def _follow(project: Project, number: int, wait: bool, as_json: bool) -> None:
    if not as_json:
        say("Round {number} is queued.", number=number)
    if not (wait or as_json):
        say_worker(project)
    if wait:
        _wait_for_round(project, number)
        _print_round(project, number, as_json)
        _refuse_failure(project, number)
    elif as_json:
        print_json(number=number)


@round_app.command("auto")
def round_auto(
    home: HomeOption = Path(),
    after_labels: Annotated[int | None, typer.Option(min=1, help="Start after so many new labels.")] = None,
    at: Annotated[str | None, typer.Option(metavar="HH:MM", help="Start at this time of day.")] = None,
    zone: Annotated[
        str | None, typer.Option(help="Time zone of --at, such as Asia/Shanghai; by default the server's.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="No round starts by itself.")] = False,
    skip_next: Annotated[
        bool | None,
        typer.Option("--skip-next/--no-skip-next", help="Leave out the next one.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """When rounds start by themselves; with options, changes it. Both --after-labels and --at: whichever comes first."""
    project = open_project(home)
    is_new = after_labels is not None or at is not None
    if (off and (is_new or skip_next)) or (zone is not None and at is None):
        raise typer.BadParameter(_("--off stands alone, and --zone belongs to --at."))
    account = accounts.command_line(project)
    if off or is_new:
        rule = Rule(after_labels, None if at is None else parse_time(at), zone)
        rules.set_rule(project, account, rule)
    if skip_next is not None:
        rules.skip_next(project, account, skips=skip_next)
    with project.database.read() as session:
        upcoming = read_upcoming(project, session)
    if as_json:
        print_json(**upcoming.to_dict())
        return
    for sentence in upcoming.sentences():
        tell(sentence)
    if upcoming.rule.is_on:
        say_worker(project)


@round_app.command("list")
def round_list(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """All rounds, newest first."""
    project = open_project(home)
    with project.database.read() as session:
        rows = lifecycle.history(session)
    if as_json:
        print_value(list(map(_in_english, rows)))
        return
    heads = (_("round"), _("state"), _("in use"), "macro-F1", _("labels"), _("by"), _("why"))
    table = Table(*heads, box=None)
    for row in map(_in_words, rows):
        macro_f1 = (row["metrics"] or {}).get("macro_f1")
        table.add_row(
            *map(
                cell,
                (
                    str(row["number"]),
                    word(row["state"]),
                    _("yes") if row["in_use"] else "",
                    "" if macro_f1 is None else f"{macro_f1:.3f}",
                    str(row["train"]["n"] or ""),
                    _starter(row),
                    row["failure"] or row["decision_reason"] or "",
                ),
            )
        )
    out.print(table)


def _starter(row: Mapping[str, Any]) -> str:
    name = word(row["started_by"])
    return filled("the rule of {name}", name=name) if row["automatic"] else name


@round_app.command("show")
def round_show(number: NumberArgument, home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """One round: state, metrics, verdict."""
    _print_round(open_project(home), number, as_json)


@round_app.command("compare")
def round_compare(
    first: Annotated[int, typer.Argument(help="The earlier round.")],
    second: Annotated[int, typer.Argument(help="The later round.")],
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Two rounds side by side: figures, and which posts changed their verdict."""
    project = open_project(home)
    compared = comparison.compare_rounds(project, accounts.command_line(project), first, second)
    if as_json:
        print_json(**compared.to_dict())
        return
    _print_figures(compared)
    if compared.flips is None:
        say("One of them has scored no posts, so changes of verdicts cannot be told.")
        return
    _print_flips(compared.flips, compared)
    for kind, examples in compared.examples.items():
        out.print(f"\n{_kind(kind)}", markup=False)
        for one in examples[:SHOWN_EXAMPLES]:
            people = ""
            if one.labels:
                people = filled(" (people: {labels})", labels=listed([*map(word, one.labels)]))
            text = " ".join(one.text.split())[:80]
            say("  {id}{people}: {text}", id=one.external_id, people=people, text=text)


def _kind(kind: str) -> str:
    if kind in FLIP_KINDS:
        before, after = FLIP_KINDS[kind]
        return filled("{before} to {after}", before=word(before), after=word(after))
    return word(kind)


def _print_figures(compared: RoundComparison) -> None:
    sides = (compared.first, compared.second)
    table = Table("", *(filled("round {number}", number=side.number) for side in sides), box=None)
    for name in ("macro_f1", "accuracy", "ece"):
        table.add_row(word(name), *(_figure(side, name) for side in (compared.first, compared.second)))
    out.print(table)
    if not compared.is_same_test:
        say("They were not measured on the same test posts: their figures differ for that reason too.")


def _figure(side: Side, name: str) -> str:
    metrics = side.facts["metrics"] or {}
    if metrics.get(name) is None:
        return "-"
    low, high = metrics.get("intervals", {}).get(name, (None, None))
    return f"{metrics[name]:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]")


def _print_flips(flips: Flips, compared: RoundComparison) -> None:
    sample = _(", of a random sample,") if compared.is_sample else ""
    say(
        "{changed:,} of {posts:,} posts{sample} changed their verdict.",
        changed=flips.changed,
        posts=flips.posts,
        sample=sample,
    )
    numbers = {"first": compared.first.number, "second": compared.second.number}
    table = Table(
        filled("round {first} down, round {second} across", **numbers), *map(word, LABELS), box=None
    )
    for label, row in zip(LABELS, flips.matrix, strict=True):
        table.add_row(word(label), *(f"{count:,}" for count in row))
    out.print(table)
    say(
        "In the band ({low:g} to {high:g}): {before:,} before, {entered:,} came in, {left:,} went out, {after:,} now.",
        low=compared.band.low,
        high=compared.band.high,
        before=flips.band_before,
        entered=flips.entered,
        left=flips.left,
        after=flips.band_after,
    )


@round_app.command("cancel")
def round_cancel(number: NumberArgument, home: HomeOption = Path()) -> None:
    """Stop a running round."""
    project = open_project(home)
    lifecycle.cancel(project, accounts.command_line(project), number)
    say("Round {number} is cancelled.", number=number)


@round_app.command("promote")
def round_promote(
    number: NumberArgument, home: HomeOption = Path(), reason: str | None = None, wait: bool = False
) -> None:
    """Put a round's adapter in use."""
    project = open_project(home)
    lifecycle.promote(project, accounts.command_line(project), number, reason)
    _after_promotion(project, number, wait)


@round_app.command("reject")
def round_reject(number: NumberArgument, home: HomeOption = Path(), reason: str | None = None) -> None:
    """Decide not to use a round's adapter."""
    project = open_project(home)
    lifecycle.reject(project, accounts.command_line(project), number, reason)
    say("Round {number} is not used.", number=number)


@round_app.command("rollback")
def round_rollback(home: HomeOption = Path(), wait: bool = False) -> None:
    """Put the adapter back that was in use before this one."""
    project = open_project(home)
    _after_promotion(project, lifecycle.rollback(project, accounts.command_line(project)), wait)


@round_app.command("bundle")
def round_bundle(
    number: Annotated[
        int | None, typer.Argument(help="The round whose rows are packed; without it, what is labelled now.")
    ] = None,
    home: HomeOption = Path(),
    with_pool: Annotated[
        bool, typer.Option("--with-pool", help="Add every post, to be scored where the adapter is trained.")
    ] = False,
    file: Annotated[Path | None, typer.Option("--out", help="The archive (.tar.gz).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Pack a round to be trained on another machine, such as a rented GPU."""
    project = open_project(home)
    with showing(_("posts")) as show:
        packed = bundles.bundle(
            project,
            accounts.command_line(project),
            file,
            number=number,
            has_pool=with_pool,
            on_progress=lambda done, total: show(_("posts"), done, total),
        )
    if as_json:
        print_json(**{**asdict(packed), "file": str(packed.file)})
        return
    say(
        "{file}: {train:,} rows to train on, {validation:,} for validation, {pool:,} posts to score, base {base}; "
        "{size:.1f} MB. Its README has the commands.",
        file=packed.file,
        train=packed.train,
        validation=packed.validation,
        pool=packed.pool,
        base=packed.base,
        size=packed.size / 1e6,
    )


@round_app.command("export")
def round_export(
    number: NumberArgument,
    folder: Annotated[Path, typer.Option("--out", help="A new folder.")],
    home: HomeOption = Path(),
    _merged: Annotated[bool, typer.Option("--merged", hidden=True, help="The default.")] = True,
    onnx: Annotated[bool, typer.Option("--onnx", help="Add model.onnx.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a round's model for a serving backend: the adapter merged into its base, a transformers folder."""
    project = open_project(home)
    receipt = merged_export.export_merged(
        project, accounts.command_line(project), number, folder, is_onnx=onnx
    )
    if as_json:
        print_json(folder=str(folder), round=number, onnx=onnx)
        return
    out.print(receipt, markup=False, soft_wrap=True)


@round_app.command("adopt")
def round_adopt(
    folder: Path,
    home: HomeOption = Path(),
    notes: str | None = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take home an adapter trained elsewhere: it is judged here like any other round's."""
    project = open_project(home)
    number = adoption.adopt(project, accounts.command_line(project), folder, notes=notes)
    _follow(project, number, wait, as_json)


def _after_promotion(project: Project, number: int, wait: bool) -> None:
    say("Round {number} will be in use as soon as it has scored every post.", number=number)
    if not wait:
        say_worker(project)
        return
    _wait_for_round(project, number)
    _print_round(project, number, as_json=False)
    _refuse_failure(project, number)


def _wait_for_round(project: Project, number: int) -> None:
    nothing_works = WorkbenchError(
        "Round {number} waits, but no worker is running. Start one: workbench worker", number=number
    )
    name = filled("round {number}", number=number)
    wait_for(project, name, _("the round"), lambda: _look(project, number), nothing_works)


def _look(project: Project, number: int) -> Look:
    with project.database.read() as session:
        row = lifecycle.find(session, number)
    progress = lifecycle.read_progress(project, row)
    is_over = row.state in lifecycle.SETTLED and not row.is_running
    return Look(word(row.state), progress.done or 0, progress.total, is_over)


def _refuse_failure(project: Project, number: int) -> None:
    with project.database.read() as session:
        row = lifecycle.find(session, number)
    if row.failure or row.state == "cancelled":
        failure = Message.from_dict(row.failure) if row.failure else Message("it was cancelled.")
        raise WorkbenchError("Round {number}: {failure}", number=number, failure=failure)


def _print_round(project: Project, number: int, as_json: bool) -> None:
    with project.database.read() as session:
        stored = lifecycle.describe(session, lifecycle.find(session, number))
    partly = RoundScores.of(project, number).partly_scored()
    if as_json:
        print_json(**_in_english(stored), partly_scored=None if partly is None else asdict(partly))
        return
    facts = _in_words(stored)
    metrics, verdict = facts["metrics"] or {}, facts["verdict"] or {}
    line = N_("Round {number}: {state} (in use)") if facts["in_use"] else N_("Round {number}: {state}")
    say(line, number=number, state=word(facts["state"]))
    for name in ("macro_f1", "linear_macro_f1", "ece"):
        if metrics.get(name) is not None:
            say("  {name}: {value:.3f}", name=word(name), value=metrics[name])
    for line in (*verdict.get("reasons", ()), *verdict.get("warnings", ())):
        out.print(f"  {line}", markup=False, soft_wrap=True)
    if partly is not None:
        out.print(f"  {partly_scored_line(partly)}", soft_wrap=True)
    if facts["failure"]:
        out.print(f"  {facts['failure']}", markup=False, soft_wrap=True)


def _in_english(facts: Any) -> Any:
    """JSON does not depend on the reader's language."""
    return _with_sentences(facts, str)


def _in_words(facts: Any) -> Any:
    return _with_sentences(facts, told)


def _with_sentences(facts: Any, tell: Callable[[Message], str]) -> Any:
    """Replaces message templates in JSON by sentences."""
    match facts:
        case {"template": template, "values": values}:
            return tell(Message.from_dict({"template": template, "values": values}))
        case dict():
            return {name: _with_sentences(value, tell) for name, value in facts.items()}
        case list():
            return [_with_sentences(value, tell) for value in facts]
    return facts
