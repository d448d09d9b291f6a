"""What the operator lets calls reach: ports, and loopback or private services by name."""

from __future__ import annotations

import re
from typing import Final

from msgspec import Struct

from millrace.adapters.http.refusals import Refused
from millrace.adapters.http.urls import parse_host
from millrace.base.errors import InvalidRequest

HTTP_PORTS: Final = frozenset({80, 443, 8080, 8443})

_ENTRY: Final = re.compile(r"(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})")


class Policy(Struct, frozen=True):
    """``ports`` may be reached on every public host. ``allow`` holds (host, port) pairs as they stand in a URL:
    such a service may also be on another port, and on loopback or in private space. Link-local, metadata,
    multicast and reserved addresses stay refused, allowed name or not."""

    ports: frozenset[int] = HTTP_PORTS
    allow: frozenset[tuple[str, int]] = frozenset()

    def allows(self, host: str, port: int) -> bool:
        return (host, port) in self.allow


def parse_allow_hosts(text: str) -> frozenset[tuple[str, int]]:
    """The pairs of ``host:port,host:port`` (IPv6 in brackets); the setting MILLRACE_ALLOW_HOSTS.
    Raises InvalidRequest naming the entry that is wrong."""
    found = set()
    for entry in filter(None, (part.strip() for part in text.split(","))):
        match = _ENTRY.fullmatch(entry)
        host = ""
        if match is not None:
            try:
                host = parse_host(match["six"] or match["name"])
            except Refused:
                host = ""
        if match is None or not host or not 0 < int(match["port"]) < 65536:
            raise InvalidRequest(
                f"{entry!r} in the list of allowed hosts is not host:port",
                hint="Write for example localhost:8322 or [::1]:8322, separated by commas.",
                facts={"entry": entry},
            )
        found.add((host, int(match["port"])))
    return frozenset(found)
