"""`workbench init`, `up`, `worker`, `score`: create a project and run its processes."""

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from db.tables import Champion
from trainer.adapters.folders import STARTER
from workbench import accounts, jobs, services
from workbench.accounts import Right
from workbench.audit import record
from workbench.commands.terminal import HomeOption, HostOption, PortOption, say, say_worker, tell
from workbench.errors import RoundError
from workbench.people import members
from workbench.project import init_project, open_project

commands = typer.Typer()


@commands.command("init")
def init_command(
    home: HomeOption = Path(),
    base_model: Annotated[
        str, typer.Option(help="A folder with a BERT-like encoder, or its name on the hub.")
    ] = "starter",
) -> None:
    """Make a new project here."""
    project = init_project(home, base_model=base_model)
    elsewhere = "" if home == Path() else f" --home {shlex.quote(str(home))}"
    say(
        "Made a project in {home}. Next: workbench import FILE.tsv{elsewhere}",
        home=project.home,
        elsewhere=elsewhere,
    )
    if base_model != STARTER and not Path(base_model).is_dir():
        say(
            "There is no folder {name}: the encoder of that name is fetched from the Hugging Face hub when it is first needed.",
            name=base_model,
        )


@commands.command()
def up(
    home: HomeOption = Path(),
    host: HostOption = None,
    port: PortOption = None,
    worker: Annotated[bool, typer.Option(help="Start the worker too.")] = True,
) -> None:
    """Bring the database up to date, start the worker and the web app."""
    project = open_project(home)
    if not members.can_sign_in(project) and not project.demo_mark.exists():
        say("Nobody can sign in yet: workbench users add NAME --role lead")
    services.up(project, say=tell, host=host, port=port, has_worker=worker)


@commands.command("worker")
def worker_command(home: HomeOption = Path()) -> None:
    """Run only the worker (on the GPU box)."""
    services.become_worker(open_project(home))


@commands.command("score")
def score_command(home: HomeOption = Path()) -> None:
    """Have the worker score what the adapter in use has not scored."""
    project = open_project(home)
    account = accounts.command_line(project)
    with accounts.acting(project, account, Right.RUN_ROUNDS) as session:
        if session.get(Champion, 1) is None:
            raise RoundError(
                "No round is in use yet, so there is nothing to score with. Start one on the Rounds page, or with `workbench round start --wait`."
            )
        jobs.enqueue(project.database.engine, session, jobs.Job.PREPARE, 0, job_id=f"score-{time.time_ns()}")
        record(session, project, account.id, "score", "posts")
    say("Queued.")
    say_worker(project)
