"""Start the web app and the worker as processes of their own, and end them together."""

import ipaddress
import os
import subprocess
import sys
import time
from pathlib import Path

from workbench.errors import InputError
from workbench.project import Project


def worker_command(home: Path) -> list[str]:
    """How the worker is started. -P keeps data/ and models/ of the working directory off its import path."""
    return [sys.executable, "-P", "-m", "workbench.worker", "--home", str(home)]


def web_command() -> list[str]:
    return [sys.executable, "-P", "-m", "workbench.web.serve"]


def up(
    project: Project, *, host: str | None = None, port: int | None = None, has_worker: bool = True
) -> None:
    """Run web app and worker until one ends or the person presses Ctrl-C.

    Raises InputError when the app would listen beyond this machine without a passphrase.
    """
    host = host or project.settings.host
    port = project.settings.port if port is None else port
    refuse_open_door(project, host)
    environment = os.environ | {
        "WORKBENCH_HOME": str(project.home),
        "WORKBENCH_HOST": host,
        "WORKBENCH_PORT": str(port),
    }
    commands = [web_command(), *([[*worker_command(project.home), "--watch-stdin"]] if has_worker else [])]
    children = [subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) for command in commands]
    print(f"Open http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port} (Ctrl-C ends it).", flush=True)  # noqa: S104 - only shown
    try:
        while all(child.poll() is None for child in children):
            time.sleep(0.2)
    except KeyboardInterrupt:
        pass
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()


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
