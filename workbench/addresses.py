"""The address of the web app: which hosts are this machine alone, which ports are free, who has a taken one."""

import http.client
import ipaddress
import socket
from collections.abc import Iterable
from contextlib import closing

from workbench.errors import InputError
from workbench.settings import Settings

OTHER_PORTS = 50
"""Ports after the default one that are tried when it is taken."""
APPLICATION_NAME = b'name="application-name" content="Moderation Workbench"'
"""In the sign-in page, which is open to visitors."""
ANSWER_SECONDS = 2.0
PAGE_BYTES = 4_096

Address = tuple[str, int]


def choose_port(settings: Settings, host: str, port: int | None) -> tuple[int, int | None]:
    """The port to listen on, and the default port that it replaces because that one is taken, or None.

    A port that the user named, by `port` or in the settings, is not replaced. Raises InputError if it is taken, or if
    none of the next ports is free.
    """
    wanted = settings.port if port is None else port
    address = reached_at(host, wanted)
    if not listens(address):
        return wanted, None
    is_named = port is not None or "port" in settings.model_fields_set
    others = range(wanted + 1, min(wanted + OTHER_PORTS, 65_535) + 1)
    free = None if is_named else _first_free(host, others)
    if free is None:
        raise _taken(address)
    return free, wanted


def reached_at(host: str, port: int) -> Address:
    """The address to reach a listener on `host` from this machine: the loopback address for a wildcard."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host, port
    if not address.is_unspecified:
        return str(address), port
    return ("127.0.0.1" if address.version == 4 else "::1"), port


def listens(address: Address) -> bool:
    try:
        with socket.create_connection(address, timeout=1):
            return True
    except (OSError, UnicodeError):  # UnicodeError: an invalid name
        return False


def shown(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _first_free(host: str, ports: Iterable[int]) -> int | None:
    return next((port for port in ports if _is_free(reached_at(host, port))), None)


def _is_free(address: Address) -> bool:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        with socket.create_server(address, family=family):
            return True
    except OSError:
        return False


def _taken(address: Address) -> InputError:
    if _is_workbench(address):
        return InputError(
            "Another workbench serves http://{address} already: open it, end it with Ctrl-C, or name another port with --port.",
            address=shown(address),
        )
    return InputError(
        "Another program listens on port {port} already: end it, or name another port with --port.",
        port=address[1],
    )


def _is_workbench(address: Address) -> bool:
    with closing(http.client.HTTPConnection(*address, timeout=ANSWER_SECONDS)) as connection:
        try:
            connection.request("GET", "/sign-in")
            return APPLICATION_NAME in connection.getresponse().read(PAGE_BYTES)
        except (OSError, http.client.HTTPException):
            return False
