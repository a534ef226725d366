"""The addresses of the app: which Host and which Origin of a request are its own.

A page of another site can reach the app under a name of its own that it lets point to this machine (DNS rebinding), and
a page on another port of this machine is sent the sign-in cookie. So the name in Host is compared with the
names of the settings, and Origin with scheme, name and port of the request.
"""

import ipaddress
import socket
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

from workbench.origin import Origin, parse_origin
from workbench.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Arrival:
    """Where a request arrived.

    `address` is the address in the browser, None if Host is none of ours; `is_from_us`: Origin is ours too.
    """

    address: Origin | None
    is_from_us: bool


@dataclass(frozen=True)
class Addresses:
    """`takes_any_ip`: the app listens on all addresses of the machine. An IP address as Host cannot be rebound."""

    names: frozenset[str]
    takes_any_ip: bool
    public: Origin | None

    @classmethod
    def of(cls, settings: Settings) -> "Addresses":
        names = {*LOOPBACK, *settings.allowed_hosts}
        is_everywhere = _is_unspecified(settings.host)
        names.add(socket.gethostname() if is_everywhere else settings.host)
        public = parse_origin(settings.public_url) if settings.public_url else None
        return cls(frozenset(name.lower() for name in names), is_everywhere, public)

    def arrival(self, scope: Scope) -> Arrival:
        headers = Headers(scope=scope)
        hosts, origins = headers.getlist("host"), headers.getlist("origin")
        scheme = scope["scheme"].replace("ws", "http")
        own = self._own_origin(scheme, hosts[0]) if len(hosts) == 1 else None
        origin = parse_origin(origins[0]) if len(origins) == 1 else None
        if own is None or origin is None or origin not in {own, self.public}:
            return Arrival(own, is_from_us=False)
        return Arrival(origin, is_from_us=True)

    def _own_origin(self, scheme: str, host: str) -> Origin | None:
        """The origin of a request to `host`; None if that is not an address of the app.

        Behind a proxy that ends TLS the scheme of the public address applies, whatever the connection has.
        """
        own = parse_origin(f"{scheme}://{host}")
        if own is None:
            return None
        if self.public is not None and own.name == self.public.name:
            return self.public
        is_ours = own.name in self.names or (self.takes_any_ip and _is_ip(own.name))
        return own if is_ours else None


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_unspecified(host: str) -> bool:
    return _is_ip(host) and ipaddress.ip_address(host).is_unspecified
