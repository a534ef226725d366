"""Start the web app and the worker as processes of their own, and end them together."""

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
ARENAS = 2
"""Pools of memory of the C library in the web process. Each run of a page is a new thread, and each pool of the sixteen
it would make keeps what its threads once needed: some 40 MiB more after an hour of fifty people (docs/benchmarks.md)."""


def worker_command(home: Path) -> list[str]:
    """How the worker is started: at low priority, so that pages answer first."""
    return module_command("workbench.worker", "--home", home, niceness=NICENESS)


def web_command() -> list[str]:
    """How the pages are served; the memory's setting must be there before the first instruction."""
    return ["env", f"MALLOC_ARENA_MAX={ARENAS}", *module_command("workbench.web.server.serve")]


def up(
    project: Project, *, host: str | None = None, port: int | None = None, has_worker: bool = True
) -> None:
    """Run web app and worker until the person presses Ctrl-C (or SIGTERM comes); says where once pages are served.

    Raises InputError when the app would listen beyond this machine without a passphrase, or where somebody else
    listens; WorkbenchError when one of the two ends by itself.
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
        is_told = False
        while (ended := _ended(children)) is None:
            if not is_told and _listens(address):
                others = "" if is_loopback(host) else " Others put this machine's name in its place."
                print(f"Open http://{_shown(address)} in a browser.{others} Ctrl-C ends the app.", flush=True)
                is_told = True
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
    """Where somebody on this machine reaches what listens on a host: a wildcard is reached on its own loopback."""
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
    except (OSError, UnicodeError):  # a name that is none
        return False


def _shown(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
