"""An origin: scheme, name and port of an address in a browser."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

PORTS: Mapping[str, int] = MappingProxyType({"http": 80, "https": 443})
MOST_PORT = 65_535
_ORIGIN = re.compile(
    r"(https?)://(\[[0-9a-f.]*:[0-9a-f:.]*\]|[^\s\x00-\x1f\x7f/\\?#@:\[\]]+)(?::([0-9]{0,5}))?/?",
    re.IGNORECASE | re.ASCII,
)


class Origin(NamedTuple):
    scheme: str
    name: str
    port: int


def parse_origin(text: str) -> Origin | None:
    """None unless it consists of http or https, a host and perhaps a port.

    Not by `urlsplit`, which drops tabs and takes `[::1]evil.example` for `::1`.
    """
    parts = _ORIGIN.fullmatch(text)
    if parts is None:
        return None
    scheme, name = parts[1].lower(), parts[2].strip("[]").lower().rstrip(".")
    port = int(parts[3] or PORTS[scheme])
    return Origin(scheme, name, port) if name and port <= MOST_PORT else None
