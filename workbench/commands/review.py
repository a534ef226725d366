"""`workbench review` and `workbench guidelines`: what a lead decides about labels."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from workbench import accounts, guidelines, review
from workbench.commands.terminal import HomeOption, JsonOption, out, print_json
from workbench.errors import InputError
from workbench.project import open_project

commands = typer.Typer()


@commands.command("review")
def review_command(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """Posts people asked a lead about, and posts they judge differently."""
    project = open_project(home)
    cases = review.open_cases(project, accounts.command_line(project))
    if as_json:
        print_json(cases=[case.to_dict() for case in cases])
        return
    table = Table("post", "why", "text", "who said what")
    for case in cases:
        said = [f"{one.name}: {one.label or 'asks'} {one.note or ''}".strip() for one in case.opinions]
        why = "asked" if case.is_flagged else "judged differently"
        table.add_row(*map(Text, (case.external_id, why, case.text[:60], "; ".join(said))))
    out.print(table)


@commands.command("guidelines")
def guidelines_command(
    file: Annotated[Path, typer.Argument(help="A text file, UTF-8.")], home: HomeOption = Path()
) -> None:
    """Put new guidelines in force; people read them with G."""
    project = open_project(home)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("{file} cannot be read: {problem}.", file=file, problem=error) from error
    version = guidelines.publish(project, accounts.command_line(project), text)
    out.print(f"Version {version} of the guidelines is in force.")
