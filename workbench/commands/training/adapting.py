"""`workbench adapt`: the base encoder goes on learning from the pool's posts, without labels."""

from pathlib import Path
from typing import Annotated, Any

import typer

from db.tables import Adaptation
from trainer.messages import Message
from workbench import accounts
from workbench.adapting import lifecycle
from workbench.commands.terminal import HomeOption, JsonOption, print_json, say, say_worker
from workbench.commands.training.waiting import Look, wait
from workbench.commands.wording.language import N_, _, filled
from workbench.commands.wording.words import word
from workbench.errors import InputError, WorkbenchError
from workbench.project import Project, open_project

commands = typer.Typer()


@commands.command("adapt")
def adapt_command(
    minutes: Annotated[
        float, typer.Option(help="Of training on this machine; preparing the posts is extra.")
    ] = lifecycle.MINUTES,
    off: Annotated[bool, typer.Option("--off", help="Later rounds train on the original encoder.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Stop the one under way.")] = False,
    wait_for_end: Annotated[bool, typer.Option("--wait", help="Stay until it has ended.")] = False,
    home: HomeOption = Path(),
    as_json: JsonOption = False,
) -> None:
    """Let the base encoder read the pool's posts without labels; later rounds train on the result."""
    if off and cancel:
        raise InputError("Give --off or --cancel, not both.")
    project = open_project(home)
    account = accounts.command_line(project)
    if cancel:
        _say(project, lifecycle.cancel(project, account), N_("Adaptation {number} is cancelled."), as_json)
    elif off:
        number = lifecycle.turn_off(project, account)
        out_of_use = N_("Adaptation {number} is out of use: the next round trains on the original encoder.")
        _say(project, number, out_of_use, as_json)
    else:
        _follow(project, lifecycle.start(project, account, minutes), wait_for_end, as_json)


def _follow(project: Project, number: int, wait_for_end: bool, as_json: bool) -> None:
    if wait_for_end:
        _wait(project, number)
        _say(project, number, N_("Adaptation {number} is done: later rounds train on its encoder."), as_json)
        return
    _say(project, number, N_("Adaptation {number} is queued."), as_json)
    if not as_json:
        say_worker(project)


def _wait(project: Project, number: int) -> None:
    """Raises WorkbenchError unless the adaptation succeeds."""
    nothing_works = WorkbenchError(
        "The adaptation waits, but no worker is running. Start one: workbench worker"
    )
    wait(project, _("adapting"), _("the adaptation"), lambda: _look(project, number), nothing_works)
    facts = _read(project, number)
    if facts["state"] != "done":
        failure = facts["failure"] or Message("it was cancelled.")
        raise WorkbenchError("Adaptation {number}: {failure}", number=number, failure=failure)


def _look(project: Project, number: int) -> Look:
    with project.database.read() as session:
        row = session.get_one(Adaptation, number)
    progress = lifecycle.read_progress(project, number)
    return Look(word(row.state), progress.done, progress.total, row.state in lifecycle.ENDED)


def _say(project: Project, number: int, sentence: str, as_json: bool) -> None:
    facts = _read(project, number)
    if as_json:
        print_json(**facts)
        return
    say(sentence, number=number)
    if card := facts["facts"]:
        before, after, measured = card["loss_before"], card["loss_after"], ""
        if None not in {before, after}:
            measured = filled(
                "; masked loss {before:.3f} before, {after:.3f} after", before=before, after=after
            )
        say(
            "  {posts:,} posts, {tokens:,} tokens{measured}",
            posts=card["texts"],
            tokens=card["tokens_read"],
            measured=measured,
        )


def _read(project: Project, number: int) -> dict[str, Any]:
    with project.database.read() as session:
        return lifecycle.describe(project, session, session.get_one(Adaptation, number))
