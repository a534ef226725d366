"""Start the web app and the worker as processes of their own, and end them together."""

import ipaddress
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from workbench.errors import InputError, WorkbenchError
from workbench.project import Project

NICENESS = 10


def worker_command(home: Path) -> list[str]:
    """How the worker is started: at low priority from its first instruction, so that pages answer first.

    -P keeps data/ and models/ of the working directory off its import path.
    """
    return ["nice", "-n", str(NICENESS), sys.executable, "-P", "-m", "workbench.worker", "--home", str(home)]


def web_command() -> list[str]:
    return [sys.executable, "-P", "-m", "workbench.web.serve"]


def up(
    project: Project, *, host: str | None = None, port: int | None = None, has_worker: bool = True
) -> None:
    """Run web app and worker until the person presses Ctrl-C (or SIGTERM comes).

    Raises InputError when the app would listen beyond this machine without a passphrase, WorkbenchError when
    one of the two ends by itself.
    """
    host = host or project.settings.host
    port = project.settings.port if port is None else port
    refuse_open_door(project, host)
    environment = os.environ | {
        "WORKBENCH_HOME": str(project.home),
        "WORKBENCH_HOST": host,
        "WORKBENCH_PORT": str(port),
    }
    commands = {"The web app": web_command()}
    if has_worker:
        commands["The worker"] = [*worker_command(project.home), "--watch-stdin"]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in commands.items():
            children[name] = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
        while (ended := _ended(children)) is None:
            time.sleep(0.2)
    except KeyboardInterrupt:
        return
    finally:
        _end(children.values())
    raise WorkbenchError("{name} ended by itself; the lines above say why.", name=ended)


def _ended(children: Mapping[str, subprocess.Popen[bytes]]) -> str | None:
    return next((name for name, child in children.items() if child.poll() is not None), None)


def _end(children: Iterable[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        child.communicate()


def refuse_open_door(project: Project, host: str) -> None:
    """Without a passphrase anybody who reaches the app could enter as a lead: keep it on this machine."""
    if project.settings.passphrase is None and not is_loopback(host):
        raise InputError(
            "Without a passphrase the app listens on this machine only, not on {host}. Set WORKBENCH_PASSPHRASE first.",
            host=host,
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
