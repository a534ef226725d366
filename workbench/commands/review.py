"""`workbench review`, `resolve`, `doubts`, `timesheet`, `guidelines`: the work of a lead."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from workbench import accounts
from workbench.commands.terminal import (
    HeadingsOption,
    HomeOption,
    JsonOption,
    Language,
    cell,
    out,
    parse_day,
    print_json,
    say,
    warn,
)
from workbench.commands.wording.language import _
from workbench.commands.wording.words import word
from workbench.errors import InputError
from workbench.exports.spreadsheet import BOM, csv_lines
from workbench.labelling import guidelines, timesheet
from workbench.labelling.files.mapping import label_key, parse_map
from workbench.project import open_project
from workbench.review import cases as review_cases
from workbench.review import doubts, resolutions
from workbench.web.wording.headings import headings_in

commands = typer.Typer()


@commands.command("review")
def review_command(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """Posts people asked a lead about, and posts they judge differently."""
    project = open_project(home)
    cases = review_cases.open_cases(project, accounts.command_line(project))
    if as_json:
        print_json(cases=[case.to_dict() for case in cases])
        return
    if not cases:
        say("Nothing waits for a decision.")
        return
    table = Table(_("post"), _("why"), _("text"), _("what people said"))
    for case in cases:
        opinions = [
            f"{word(one.label) if one.label else _('asks')} {one.note or ''}".strip() for one in case.opinions
        ]
        why = _("asked") if case.is_flagged else _("judged differently")
        table.add_row(
            *map(cell, (case.external_id, why, " ".join(case.text.split())[:60], _("; ").join(opinions)))
        )
    out.print(table)


@commands.command("resolve")
def resolve_command(
    post: Annotated[str, typer.Argument(help="The post's id, as the forum has it.")],
    label: Annotated[str | None, typer.Argument(help="What it is: normal, suspicious or violation.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    instead_of: Annotated[
        int | None,
        typer.Option(help="Only if this decision still stands: the decision_id of `review --json`."),
    ] = None,
    is_undone: Annotated[bool, typer.Option("--undo", help="Take the decision back.")] = False,
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Decide what a post is: training uses this instead of the votes, which stay."""
    if (label is None) != is_undone:
        raise InputError("Name a label, or give --undo alone.")
    project = open_project(home)
    account = accounts.command_line(project)
    with project.database.read() as session:
        number = resolutions.post_called(session, post)
    if label is None:
        resolutions.take_back(project, account, number)
    else:
        label = parse_map(None).get(label_key(label), label)
        resolutions.resolve(
            project,
            account,
            number,
            label,
            reason=reason,
            may_replace=instead_of is None,
            instead_of=instead_of,
        )
    if as_json:
        print_json(post=post, label=label)
        return
    if label:
        say("{post} is {label} from now on.", post=post, label=word(label))
    else:
        say("The decision on {post} was taken back.", post=post)


@commands.command("doubts")
def doubts_command(
    most: Annotated[int, typer.Option("--most", min=1, help="So many at most.")] = 50,
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Labels that everything else speaks against, the worst first. Change or confirm one with `resolve`."""
    project = open_project(home)
    labels = doubts.doubtful_labels(project, accounts.command_line(project), most=most)
    if as_json:
        print_json(doubts=[one.to_dict() for one in labels])
        return
    table = Table(_("post"), _("label"), _("others say"), _("text"))
    for one in labels:
        other = f"{word(one.other)} {one.probabilities[one.other]:.2f}"
        table.add_row(*map(cell, (one.external_id, word(one.label), other, " ".join(one.text.split())[:60])))
    out.print(table)


@commands.command("timesheet")
def timesheet_command(
    since: Annotated[str | None, typer.Option("--since", help="The first day, such as 2026-01-31.")] = None,
    file: Annotated[Path | None, typer.Option("--out", help="Write CSV to this file.")] = None,
    headings: HeadingsOption = Language.EN,
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """What each person did on each day, by this machine's clock, and what became of skipped posts."""
    project = open_project(home)
    account = accounts.command_line(project)
    first, zone = parse_day(since), datetime.now().astimezone().tzinfo
    days = timesheet.timesheet(project, account, since=first, zone=zone or UTC)
    with project.database.read() as session:
        skipped = timesheet.skipped_posts(session)
    if as_json:
        skipped_posts = {"waiting": skipped.waiting, "queued": skipped.queued}
        print_json(days=[day.to_dict() for day in days], skipped_posts=skipped_posts)
        return
    lines = csv_lines(timesheet.cells(days, headings_in(timesheet.COLUMNS, headings)))
    if file is None:
        sys.stdout.writelines(line for line in lines if line != BOM)
    else:
        with file.open("w", encoding="utf-8", newline="") as stream:
            stream.writelines(lines)
    _say_skipped(skipped)


def _say_skipped(skipped: timesheet.SkippedPosts) -> None:
    if not skipped.waiting:
        warn("All skipped posts are labelled by now.")
        return
    warn(
        "{waiting:,} skipped posts still wait for a label, {queued:,} of them in the queue.",
        waiting=skipped.waiting,
        queued=skipped.queued,
    )


@commands.command("guidelines")
def guidelines_command(
    file: Annotated[Path, typer.Argument(help="A text file, UTF-8.")],
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Put new guidelines in force; people read them with G."""
    project = open_project(home)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("{file} cannot be read: {problem}.", file=file, problem=error) from error
    version = guidelines.publish(project, accounts.command_line(project), text)
    if as_json:
        print_json(version=version)
        return
    say("Version {version} of the guidelines is in force.", version=version)
