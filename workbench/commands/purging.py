"""`workbench purge`: remove posts for good."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from workbench import accounts
from workbench.commands.terminal import HomeOption, JsonOption, out, parse_day, print_json, say
from workbench.commands.wording.language import _, listed
from workbench.commands.wording.words import word
from workbench.project import open_project
from workbench.purging.criterion import Criterion
from workbench.purging.purge import purge

commands = typer.Typer()


@commands.command("purge")
def purge_command(
    author: Annotated[str | None, typer.Option("--author", help="Everything this person wrote.")] = None,
    post: Annotated[str | None, typer.Option("--post", help="One post, by the forum's id.")] = None,
    before: Annotated[
        str | None, typer.Option("--before", help="What was written (else imported) before this day.")
    ] = None,
    is_sure: Annotated[bool, typer.Option("--yes", help="Do it. Without this it is only shown.")] = False,
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Remove posts for good, from the database, exports and score files. It cannot be undone."""
    project = open_project(home)
    criterion = Criterion(author, post, parse_day(before))
    done = purge(project, accounts.command_line(project), criterion, is_dry=not is_sure)
    if as_json:
        print_json(**done.to_dict())
        return
    table = Table(_("removed") if done.is_done else _("would be removed"), "")
    for name, count in done.counts.items():
        table.add_row(word(name), f"{count:,}")
    out.print(table)
    if done.rounds:
        numbers = listed([*map(str, done.rounds)])
        say("Trained with some of these posts, and kept: the adapters of rounds {numbers}.", numbers=numbers)
    if done.adaptations:
        numbers = listed([*map(str, done.adaptations)])
        say(
            "Read without labels, and kept: the encoders of adaptations {numbers}. `workbench adapt` makes one anew.",
            numbers=numbers,
        )
    for copy in done.copies:
        say("Still holds them, delete it: {file}", file=copy)
    if not done.counts.get("posts"):
        say("No post is meant by that. Is the name written as the forum writes it?")
    elif done.is_done:
        say("Recorded in the audit, whose head is now {head}.", head=done.audit_head)
    else:
        say("Nothing was changed. Add --yes to do it; it cannot be undone.")
