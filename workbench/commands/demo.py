"""`workbench demo`: the sample project."""

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from workbench import services
from workbench.commands.terminal import HostOption, PortOption, tell, tell_aside, warn

commands = typer.Typer()


@commands.command("demo")
def demo_command(
    home: Annotated[Path, typer.Option("--home", help="Where the sample project goes.")] = Path("demo"),
    host: HostOption = None,
    port: PortOption = None,
    seed_only: Annotated[bool, typer.Option("--seed-only", help="Make the project, do not open it.")] = False,
) -> None:
    """Make a sample project with four weeks of history and open it: nothing to configure, no network, no GPU."""
    from workbench.demo.seeding import seed  # noqa: PLC0415 - loads what the worker needs, as it does its work

    begin = time.monotonic()
    project = seed(home, datetime.now().astimezone(), say=tell_aside)
    warn("The sample project is in {home} ({seconds:.0f} s).", home=home, seconds=time.monotonic() - begin)
    if not seed_only:
        services.up(project, say=tell, host=host, port=port)
