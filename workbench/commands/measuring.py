"""`workbench doctor`, `simulate`: measure this machine, or query strategies on a labelled set."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from workbench import doctor
from workbench.commands.terminal import HomeOption, JsonOption, out, print_json, say, warn
from workbench.commands.wording.checkup import rows
from workbench.queue import simulation

ColumnOption = Annotated[str | None, typer.Option(help="Of both files; else known by its name.")]

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
    warn("Measuring; with the starter encoder this takes about 20 s ...")
    checkup = doctor.examine(home, base=base_model, price=price)
    if as_json:
        print_json(**checkup.to_dict())
    else:
        table = Table(show_header=False, box=None)
        for name, value in rows(checkup):
            table.add_row(name, Text(value))
        out.print(table)
        for problem in checkup.problems:
            say("- {problem}", problem=problem)
    if not checkup.can_run:
        raise typer.Exit(1)


@commands.command("simulate")
def simulate_command(
    pool: Annotated[Path, typer.Option(help="Labelled posts to choose from, with text and label.")],
    test: Annotated[Path, typer.Option(help="Labelled posts to measure on.")],
    home: HomeOption = Path(),
    strategy: Annotated[
        str,
        typer.Option(
            help="Names with commas between; default is the queue as the settings and the band in force compose it."
        ),
    ] = "default,random",
    seeds: Annotated[int, typer.Option(min=1, help="Repetitions.")] = 3,
    budget: Annotated[int, typer.Option(min=1, help="Labels a run ends with.")] = 500,
    batch: Annotated[int, typer.Option(min=1, help="Labels between two models.")] = 50,
    learner: Annotated[
        str, typer.Option(help="lora, as rounds train; or frozen: seconds instead of minutes.")
    ] = "lora",
    full: Annotated[bool, typer.Option(help="Measure what the whole pool is worth.")] = True,
    folder: Annotated[
        Path,
        typer.Option(
            "--out", help="Points and curves go there; the same command goes on where it was killed."
        ),
    ] = Path("simulation"),
    encoding: Annotated[
        str | None, typer.Option(help="Of both files; else found by looking at them.")
    ] = None,
    quoted: Annotated[
        bool | None,
        typer.Option(
            "--quoted/--no-quoted",
            help="Quotes of a TSV enclose cells; else found by looking at the whole file.",
        ),
    ] = None,
    text_column: ColumnOption = None,
    id_column: ColumnOption = None,
    label_column: ColumnOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay a labelled set: how fast does quality rise, by which choice of posts?"""
    values = {"pool": pool, "test": test, "strategy": strategy, "seeds": seeds, "budget": budget}
    values |= {"batch": batch, "learner": learner, "out": folder}
    arguments = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    arguments += [] if full else ["--no-full"]
    arguments += ["--json"] if as_json else []
    reading = {
        "encoding": encoding,
        "text-column": text_column,
        "id-column": id_column,
        "label-column": label_column,
    }
    arguments += [f"--{name}={value}" for name, value in reading.items() if value is not None]
    arguments += [] if quoted is None else ["--quoted" if quoted else "--no-quoted"]
    raise typer.Exit(simulation.simulate(*simulation.queue_of(home), arguments))
