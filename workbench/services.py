"""Run the web app and the worker as child processes that end together."""

import ipaddress
import signal
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from trainer.running.children import Child, module_command, start
from workbench.errors import InputError, WorkbenchError
from workbench.project import Project

NICENESS = 10
"""Of the worker, in favour of the web app."""
ARENAS = 2
"""malloc arenas of the web process. Each page run is a new thread, and each of the sixteen default arenas retains the peak
of its threads: about 40 MiB more after an hour of fifty people (docs/benchmarks.md)."""


def worker_command(home: Path) -> list[str]:
    return module_command("workbench.worker", "--home", home, niceness=NICENESS)


def web_command() -> list[str]:
    # By `env`: the C library reads the variable when the process starts.
    return ["env", f"MALLOC_ARENA_MAX={ARENAS}", *module_command("workbench.web.server.serve")]


def up(
    project: Project, *, host: str | None = None, port: int | None = None, has_worker: bool = True
) -> None:
    """Run web app and worker until Ctrl-C or SIGTERM; prints the address once pages are served.

    Raises InputError if the app would listen beyond this machine without a passphrase or the port is taken,
    WorkbenchError if a child ends by itself.
    """
    host = host or project.settings.host
    port = project.settings.port if port is None else port
    refuse_open_door(project, host)
    address = _address(host, port)
    if _listens(address):
        raise InputError(
            "Something listens on port {port} already, perhaps this app. Name another one with --port.",
            port=port,
        )
    variables = {
        "WORKBENCH_HOME": str(project.home),
        "WORKBENCH_HOST": host,
        "WORKBENCH_PORT": str(port),
    }
    commands = {"The web app": web_command()}
    if has_worker:
        commands["The worker"] = worker_command(project.home)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    children: dict[str, Child] = {}
    try:
        for name, command in commands.items():
            children[name] = start(command, variables=variables)
        is_announced = False
        while (ended := _ended(children)) is None:
            if not is_announced and _listens(address):
                others = "" if is_loopback(host) else " Others put this machine's name in its place."
                print(f"Open http://{_shown(address)} in a browser.{others} Ctrl-C ends the app.", flush=True)
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


def _address(host: str, port: int) -> tuple[str, int]:
    """The address to reach a listener on `host` from this machine: the loopback address for a wildcard."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host, port
    if not address.is_unspecified:
        return str(address), port
    return ("127.0.0.1" if address.version == 4 else "::1"), port


def _listens(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=1):
            return True
    except (OSError, UnicodeError):  # UnicodeError: an invalid name
        return False


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def refuse_open_door(project: Project, host: str) -> None:
    """Raises InputError without a passphrase on a host that others reach: they could sign in as a lead."""
    if project.settings.passphrase is None and not is_loopback(host):
        raise InputError(
            "Without a passphrase the app listens on this machine only, not on {host}. Set WORKBENCH_PASSPHRASE first.",
            host=host,
        )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
