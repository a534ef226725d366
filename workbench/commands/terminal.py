"""Consoles, shared options and formatting of the commands."""

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from workbench.errors import InputError
from workbench.project import Project
from workbench.rounds import lifecycle

if TYPE_CHECKING:
    from workbench.scores.round_scores import PartlyScored

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

HomeOption = Annotated[Path, typer.Option("--home", envvar="WORKBENCH_HOME", help="The project's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
NumberArgument = Annotated[int, typer.Argument(help="The round's number.")]


def say_worker(project: Project) -> None:
    if not lifecycle.is_worker_running(project):
        err.print("No worker is running: start one with `workbench worker` or `workbench up`.", markup=False)


def shown(value: object) -> str:
    if isinstance(value, bool):
        return "running" if value else "not running"
    if isinstance(value, int):
        return f"{value:,}"
    return "none" if value is None else str(value)


def printable(text: str) -> str:
    """Replaces control characters, which could steer the terminal."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def cell(text: object) -> Text:
    """User text on one line, without rich markup and control characters."""
    return Text(printable(" ".join(str(text).split())))


def print_json(**values: Any) -> None:
    out.print_json(json.dumps(values, ensure_ascii=False))


def parse_day(text: str | None) -> date | None:
    """Raises InputError unless `text` is an ISO date."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise InputError("{text} is no day. Write it as 2026-01-31.", text=text) from error


def partly_scored_line(partly_scored: "PartlyScored") -> str:
    return (
        f"{partly_scored.scored:,} of {partly_scored.posts:,} posts were scored: this machine is too slow for all in {partly_scored.hours:g} hours. "
        f"A simpler model chose most of them and left the others out; {100 * partly_scored.rate:.3g}% of all were drawn at random and "
        "scored whatever it says. See docs/big-pools.md."
    )
