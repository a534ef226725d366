"""`workbench status`: current figures of a project."""

from pathlib import Path

import typer
from rich.table import Table

from workbench.commands.terminal import HomeOption, JsonOption, out, partly_scored_line, print_json, shown
from workbench.project import open_project
from workbench.queue import status
from workbench.rounds import outlook

commands = typer.Typer()


@commands.command("status")
def status_command(home: HomeOption = Path(), as_json: JsonOption = False) -> None:
    """Posts, labels, the band, the queue, what the next labels should bring."""
    project = open_project(home)
    figures, ahead = status.read_status(project), outlook.read_outlook(project)
    if as_json:
        print_json(**figures.to_dict(), next_100=None if ahead is None else ahead.to_dict())
        return
    table = Table(show_header=False, box=None)
    for name, value in figures.to_dict().items():
        if name not in {"labels", "not_used", "partly_scored"}:
            table.add_row(name.replace("_", " "), shown(value))
    for split, counts in figures.labels.items():
        table.add_row(
            f"labels in {split}", ", ".join(f"{count:,} {label}" for label, count in counts.items())
        )
    if reasons := figures.not_used.reasons():
        table.add_row("labelled posts not used yet", "; ".join(map(str, reasons)))
    if ahead is not None and ahead.gain is not None:
        low, mean, high = (
            100 * value for value in (ahead.gain.interval[0], ahead.gain.mean, ahead.gain.interval[1])
        )
        gain = f"{mean:+.1f} ({low:.1f} to {high:.1f}) points of macro-F1, about {ahead.minutes:.0f} min"
        table.add_row("next 100 labels", gain)
    out.print(table)
    if figures.partly_scored is not None:
        out.print(partly_scored_line(figures.partly_scored), soft_wrap=True)
