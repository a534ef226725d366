"""`workbench audit`: verify the chain of entries, or take the entries away."""

from pathlib import Path
from typing import Annotated

import typer

from workbench import accounts
from workbench.auditing.checking import Checked, check_audit
from workbench.auditing.export import COLUMNS, write_audit
from workbench.commands.terminal import (
    HeadingsOption,
    HomeOption,
    JsonOption,
    Language,
    print_json,
    say,
    tell_aside,
)
from workbench.project import open_project
from workbench.web.wording.headings import headings_in

commands = typer.Typer()
audit = typer.Typer(
    help="Who did what: verify that no entry was changed, or take all entries away.", no_args_is_help=True
)
commands.add_typer(audit, name="audit")


@audit.command("verify")
def verify_command(
    home: HomeOption = Path(),
    heads: Annotated[
        list[str] | None,
        typer.Option("--head", help="A head that was noted elsewhere, as in a receipt; can be repeated."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the chain anew and compare it with the receipts of this project. Exit status 1: it is broken."""
    project = open_project(home)
    checked = check_audit(project, accounts.command_line(project), heads or ())
    if as_json:
        problem = None if checked.problem is None else str(checked.problem)
        print_json(intact=checked.is_intact, head=str(checked.head), compared=checked.heads, problem=problem)
    else:
        _say(checked)
    if not checked.is_intact:
        raise typer.Exit(1)


@audit.command("export")
def export_command(
    file: Annotated[Path, typer.Argument(help="Ends in .csv for spreadsheets, or in .jsonl.")],
    home: HomeOption = Path(),
    headings: HeadingsOption = Language.EN,
) -> None:
    """Write all entries, the oldest first."""
    project = open_project(home)
    account = accounts.command_line(project)
    count = write_audit(project, account, file, headings=headings_in(COLUMNS, headings))
    say("{file}: {count:,} entries of the audit.", file=file, count=count)


def _say(checked: Checked) -> None:
    if checked.problem is not None:
        tell_aside(checked.problem)
        return
    say(
        "Intact up to entry {number:,}. Head: {head}. Heads in receipts: {count:,}.",
        number=checked.head.number,
        head=checked.head,
        count=checked.heads,
    )
