"""Refuses requests that a web page made through somebody's browser.

A local server has no password, so two headers that a page cannot forge decide: ``Host`` must name loopback (a page
that rebinds its own DNS name to 127.0.0.1 still sends its own name), and ``Origin``, where given, must be this very
server. A request without ``Origin`` that the browser marks as cross-site is refused as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_OWN_SITE: Final = frozenset({"same-origin", "none"})


def refusal(headers: Sequence[tuple[str, str]], *, port: int) -> str | None:
    """Why a request must not be served, as a sentence; None when it may."""
    hosts = [value.strip().lower() for name, value in headers if name.lower() == "host"]
    if len(hosts) != 1 or not _is_own(hosts[0], port):
        return f"The Host header must be localhost:{port} or 127.0.0.1:{port}."
    origins = [value.strip().lower() for name, value in headers if name.lower() == "origin"]
    if any(not origin.startswith("http://") or not _is_own(origin[7:], port) for origin in origins):
        return "This server answers no other origin than its own."
    sites = {value.strip().lower() for name, value in headers if name.lower() == "sec-fetch-site"}
    if not origins and sites - _OWN_SITE:
        return "This server answers no request that another site makes."
    return None


def _is_own(authority: str, port: int) -> bool:
    return authority in {f"{name}:{port}" for name in LOOPBACK} or (port == 80 and authority in LOOPBACK)
