"""`workbench status`: current figures of a project."""

from pathlib import Path

import typer
from rich.table import Table

from trainer.messages import Message
from trainer.selection.forecast import Gain
from workbench.commands.terminal import HomeOption, JsonOption, out, partly_scored_line, print_json, shown
from workbench.commands.wording.language import _, filled, told
from workbench.commands.wording.words import counts_text, word
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
    for name, value in (figures.to_dict() | {"queue_order": _queue_order(figures)}).items():
        if name not in {"labels", "not_used", "partly_scored"}:
            table.add_row(word(name.replace("_", " ")), shown(value))
    for split, counts in figures.labels.items():
        table.add_row(filled("labels in {split}", split=word(split)), counts_text(counts))
    if reasons := figures.not_used.reasons():
        table.add_row(_("labelled posts not used yet"), told(Message.joined(reasons)))
    if ahead is not None and ahead.gain is not None:
        table.add_row(_("next 100 labels"), _gain(ahead.gain, ahead.minutes))
    out.print(table)
    if figures.partly_scored is not None:
        out.print(partly_scored_line(figures.partly_scored), soft_wrap=True)


def _queue_order(figures: status.Status) -> str:
    if figures.champion is None:
        return word(figures.queue_order)
    if figures.quick_labels is None:
        return filled("round {number}", number=figures.champion)
    return filled("round {number} and {model}", number=figures.champion, model=word(status.SIMPLE_MODEL))


def _gain(gain: Gain, minutes: float) -> str:
    low, high = gain.interval
    return filled(
        "{mean:+.1f} ({low:.1f} to {high:.1f}) points of macro-F1, about {minutes:.0f} min",
        mean=100 * gain.mean,
        low=100 * low,
        high=100 * high,
        minutes=minutes,
    )
