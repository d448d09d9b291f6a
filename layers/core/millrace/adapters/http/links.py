"""The Link header (RFC 8288) read for one relation. A scanner instead of a split: targets and quoted texts may hold
commas and semicolons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_TARGET: Final = re.compile(r"[\s,]*<([^>]*)>")
_PARAMETER: Final = re.compile(r'\s*;\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)\*?\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]*))?')


def link_to(header: str, relation: str) -> str:
    """The target of the first link of a relation, whose context is the page itself; empty where there is none. What
    follows a malformed link is not read."""
    for target, parameters in _links(header):
        if relation in parameters.get("rel", "").lower().split() and "anchor" not in parameters:
            return target
    return ""


def _links(header: str) -> Iterator[tuple[str, dict[str, str]]]:
    place = 0
    while (match := _TARGET.match(header, place)) is not None:
        target, place = match[1].strip(), match.end()
        parameters: dict[str, str] = {}
        while (match := _PARAMETER.match(header, place)) is not None:
            place = match.end()
            # The first of equal parameters counts (RFC 8288, 3.3).
            parameters.setdefault(match[1].lower(), _unquoted(match[2] or ""))
        yield target, parameters


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
