"""Where the requests of an operation go: the first server, its variables at their defaults."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

from millrace.base.errors import InvalidRequest
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.references import mapping, sequence

_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_URL: Final = re.compile(r"https?://[^\s/?#@\\{}]+(?:/[^\s?#\\]*)?", re.IGNORECASE)
URL_CHARS: Final = 2048


def base_url(candidates: list[tuple[Any, str]], notes: Notes, *, server: str, document_url: str) -> str:
    """The address without a slash at its end. ``candidates`` are the ``servers`` of the operation, its path and the
    document, each with its JSON Pointer; ``server`` is used instead where it is given; a relative address counts
    from ``document_url``.

    Raises InvalidRequest when there is no absolute http or https address.
    """
    if server:
        return checked(server)
    found, where = "/", "/servers"
    for value, here in candidates:
        servers = [mapping(item) for item in sequence(value)]
        if servers:
            found, where = filled(servers[0], notes, below(here, 0)), here
            if len(servers) > 1:
                notes.add("servers", here, f"of {len(servers)} servers, the first is called")
            break
    if not _URL.fullmatch(found) and document_url:
        found = urljoin(checked(document_url), found)
    if not _URL.fullmatch(found):
        raise InvalidRequest(
            f"the document names no absolute address of its server ({found[:80]!r} at {where[:80]})",
            hint="Give the address of the server, such as https://api.example.com/v1.",
        )
    return checked(found)


def checked(url: str) -> str:
    """An absolute address without query. Raises InvalidRequest."""
    if len(url) > URL_CHARS or not _URL.fullmatch(url):
        raise InvalidRequest(
            f"{url[:80]!r} is not the address of a server", hint="Write https://, a host, and where needed a path."
        )
    parts = urlsplit(url)
    path = quote(parts.path, safe="/:@!$&'()*+,;=~-._%")
    return f"{parts.scheme}://{parts.netloc}{path}".rstrip("/")


def filled(server: dict[str, Any], notes: Notes, where: str) -> str:
    """The address of one server with the defaults of its variables, a slash where it has none."""
    variables = mapping(server.get("variables"))

    def value(match: re.Match[str]) -> str:
        default = mapping(variables.get(match[1])).get("default")
        notes.add("server-variable", where, f"the variable {match[1][:40]} has its default value")
        return str(default) if isinstance(default, str | int) else match[0]

    url = server.get("url")
    return _VARIABLE.sub(value, url) if isinstance(url, str) and len(url) <= URL_CHARS else "/"
