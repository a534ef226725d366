"""Run the web app and the worker as child processes that end together."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn, TypeAlias

from filelock import Timeout

from trainer.messages import Message
from trainer.running.children import Child, module_command, start
from workbench import addresses
from workbench.errors import InputError, WorkbenchError
from workbench.locks import LAUNCH, WORKER, hold, keep
from workbench.project import Project

Say: TypeAlias = Callable[[Message], None]
"""Shows a message to the person at the terminal, in that person's language."""
NICENESS = 10
"""Of the worker, in favour of the web app."""
ARENAS = 2
"""malloc arenas of the web process. Each page run is a new thread, and each of the sixteen default arenas retains the peak
of its threads: about 40 MiB more after an hour of fifty people (docs/benchmarks.md)."""
LAUNCH_SECONDS = 1.0
"""A worker whose launcher was killed ends within this time, and a probe of a lock holds it briefly."""


def worker_command(home: Path) -> list[str]:
    return module_command("workbench.worker", "--home", home, niceness=NICENESS)


def web_command() -> list[str]:
    # By `env`: the C library reads the variable when the process starts.
    return ["env", f"MALLOC_ARENA_MAX={ARENAS}", *module_command("workbench.web.server.serve")]


def worker_hint(home: Path) -> Message:
    elsewhere = "" if home == Path.cwd() else f" --home {shlex.quote(str(home))}"
    up, worker = (f"`workbench {name}{elsewhere}`" for name in ("up", "worker"))
    return Message("No worker is running: start one with {up} or {worker}.", up=up, worker=worker)


def become_worker(project: Project) -> NoReturn:
    """Replace this process by the worker, so that signals reach it. Raises WorkbenchError if the project has one."""
    another = WorkbenchError("A worker is already running in {home}.", home=project.home)
    keep(project.data / LAUNCH, seconds=LAUNCH_SECONDS, refusal=another)
    project.database.dispose()
    command = worker_command(project.home)
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


@contextmanager
def launching(project: Project) -> Iterator[bool]:
    """Whether the caller is to start the worker: False if the project has one, running or starting.

    Other commands see a worker for as long as the block runs, also in the seconds in which it loads.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(project.data / LAUNCH, seconds=LAUNCH_SECONDS))
            with hold(project.data / WORKER, seconds=LAUNCH_SECONDS):
                is_first = True
        except Timeout:
            is_first = False
        yield is_first


@contextmanager
def worker(project: Project, variables: Mapping[str, str] | None = None) -> Iterator[Child]:
    """A worker that is silent on standard output and ends with the block."""
    with start(worker_command(project.home), stdout=subprocess.DEVNULL, variables=variables) as child:
        try:
            yield child
        finally:
            child.terminate()


def up(
    project: Project,
    *,
    say: Say,
    host: str | None = None,
    port: int | None = None,
    has_worker: bool = True,
) -> None:
    """Run web app and worker until Ctrl-C or SIGTERM; says the address once pages are served.

    Without a worker if the project has one already. Raises InputError if the app would listen beyond this machine
    without https or a named port is taken, WorkbenchError if a child ends by itself.
    """
    host = host or project.settings.host
    refuse_open_door(project, host)
    chosen, taken = addresses.choose_port(project.settings, host, port)
    variables = {
        "WORKBENCH_HOME": str(project.home),
        "WORKBENCH_HOST": host,
        "WORKBENCH_PORT": str(chosen),
    }
    commands = {"The web app": web_command()}
    with ExitStack() as stack:
        if has_worker:
            if stack.enter_context(launching(project)):
                commands["The worker"] = worker_command(project.home)
            else:
                say(Message("This project has a worker already: only the web app starts."))
        address = addresses.reached_at(host, chosen)
        _run(commands, variables, lambda: say(_announcement(host, chosen, taken)), address)


def _announcement(host: str, port: int, taken: int | None) -> Message:
    return Message(
        "Open http://{address} in a browser{why}.{others} Ctrl-C ends the app.",
        address=addresses.shown(addresses.reached_at(host, port)),
        why="" if taken is None else Message(" (port {port} is taken)", port=taken),
        others=""
        if addresses.is_loopback(host)
        else Message(" Others put this machine's name in its place."),
    )


def _run(
    commands: Mapping[str, list[str]],
    variables: Mapping[str, str],
    announce: Callable[[], None],
    address: addresses.Address,
) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    children: dict[str, Child] = {}
    try:
        for name, command in commands.items():
            children[name] = start(command, variables=variables)
        is_announced = False
        while (ended := _ended(children)) is None:
            if not is_announced and addresses.listens(address):
                announce()
                is_announced = True
            time.sleep(0.2)
    except KeyboardInterrupt:
        return
    finally:
        _end(children.values())
    raise WorkbenchError("{name} ended by itself; the lines above say why.", name=ended)


def _ended(children: Mapping[str, Child]) -> str | None:
    return next((name for name, child in children.items() if child.poll() is not None), None)


def _end(children: Iterable[Child]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        child.communicate()


def refuse_open_door(project: Project, host: str) -> None:
    """Raises InputError for a host that others reach without https: passwords and posts would be readable on their way."""
    public = project.settings.public_url or ""
    if not addresses.is_loopback(host) and not public.startswith("https://"):
        raise InputError(
            "The app listens on {host} only behind a proxy with https. Set public_url to its address (docs/security.md), or leave out --host.",
            host=host,
        )
