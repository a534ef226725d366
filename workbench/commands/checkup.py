"""`workbench doctor`: what this machine can do for rounds."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from workbench import doctor
from workbench.commands.terminal import HomeOption, JsonOption, err, out, print_json

commands = typer.Typer()


@commands.command("doctor")
def doctor_command(
    home: HomeOption = Path(),
    base_model: Annotated[
        str | None, typer.Option(help="Another base encoder than the project's: a folder, or a hub name.")
    ] = None,
    price: Annotated[float | None, typer.Option(min=0, help="What an hour of this machine costs.")] = None,
    as_json: JsonOption = False,
) -> None:
    """What this machine can do for rounds, and how long one takes. Exit status 1: none could run here."""
    err.print("Measuring; with the starter encoder this takes about 20 s ...", markup=False)
    checkup = doctor.examine(home, base=base_model, price=price)
    if as_json:
        print_json(**checkup.to_dict())
    else:
        table = Table(show_header=False, box=None)
        for name, value in doctor.rows(checkup):
            table.add_row(name, Text(value))
        out.print(table)
        for problem in checkup.problems:
            out.print(f"- {problem}", markup=False, soft_wrap=True)
    if not checkup.can_run:
        raise typer.Exit(1)
