"""Where something is inside a response body: the small path language of paging, and nothing that can compute."""

from __future__ import annotations

import re
from typing import Any, Final

_INDEX: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,8})")


def find(value: Any, path: str) -> Any:
    """What is at ``path``, or None where nothing is. ``meta.next`` names keys, ``data.-1.id`` the last entry of a
    list; a path that begins with a slash is a JSON pointer (RFC 6901); an empty one is the value itself."""
    for part in _parts(path):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and _INDEX.fullmatch(part) and -len(value) <= int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _parts(path: str) -> list[str]:
    if not path:
        return []
    if path.startswith("/"):
        return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
    return path.split(".")
