"""Consoles, shared options and formatting of the commands."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.highlighter import JSONHighlighter
from rich.segment import Segment
from rich.text import Text

from trainer.messages import Message
from trainer.running.terminal import json_text, printable
from workbench import services
from workbench.commands.wording.language import _, filled, told
from workbench.errors import InputError
from workbench.project import Project
from workbench.rounds import lifecycle

if TYPE_CHECKING:
    from workbench.scores.round_scores import PartlyScored


class SafeConsole(Console):
    """Writes no character of a text, a name or a message that could steer the terminal."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


out = SafeConsole(highlight=False)
err = SafeConsole(stderr=True, highlight=False)

HomeOption = Annotated[Path, typer.Option("--home", envvar="WORKBENCH_HOME", help="The project's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
HostOption = Annotated[
    str | None, typer.Option(help="Where to listen; by default 127.0.0.1, this machine only.")
]
PortOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=65_535, help="By default 8501, or the next free one; a named one is not replaced."
    ),
]
NumberArgument = Annotated[int, typer.Argument(help="The round's number.")]


class Language(StrEnum):
    EN = "en"
    ZH = "zh"


HeadingsOption = Annotated[
    Language,
    typer.Option("--headings", help="Language of a CSV file's headings; other formats have none."),
]


def say(template: str, /, **values: object) -> None:
    """A sentence of the command, translated. It has no markup, and its lines are not wrapped."""
    out.print(filled(template, **values), markup=False, soft_wrap=True)


def warn(template: str, /, **values: object) -> None:
    """On standard error, like progress: what is piped on is only the answer."""
    err.print(filled(template, **values), markup=False, soft_wrap=True)


def tell(message: Message) -> None:
    out.print(told(message), markup=False, soft_wrap=True)


def tell_aside(message: Message) -> None:
    err.print(told(message), markup=False, soft_wrap=True)


def say_worker(project: Project) -> None:
    if not lifecycle.is_worker_running(project):
        tell_aside(services.worker_hint(project.home))


def shown(value: object) -> str:
    if isinstance(value, bool):
        return _("running") if value else _("not running")
    if isinstance(value, int):
        return f"{value:,}"
    return _("none") if value is None else str(value)


def cell(text: object) -> Text:
    """User text on one line, without rich markup. Replaced here already, because columns are measured before they are
    written.
    """
    return Text(printable(" ".join(str(text).split())))


def print_json(**values: Any) -> None:
    print_value(values)


def print_value(value: object) -> None:
    """As JSON; what the terminal cannot show, or what could steer it, is escaped."""
    text = JSONHighlighter()(json_text(value, out.encoding, indent=2))
    out.print(text, soft_wrap=True)


def parse_day(text: str | None) -> date | None:
    """Raises InputError unless `text` is an ISO date."""
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise InputError("{text} is no day. Write it as 2026-01-31.", text=text) from error


def partly_scored_line(partly_scored: "PartlyScored") -> str:
    return filled(
        "{scored:,} of {posts:,} posts were scored: this machine is too slow for all in {hours:g} hours. A simpler model "
        "chose most of them and left the others out; {share:.3g}% of all were drawn at random and scored whatever it says. "
        "See docs/big-pools.md.",
        scored=partly_scored.scored,
        posts=partly_scored.posts,
        hours=partly_scored.hours,
        share=100 * partly_scored.rate,
    )
