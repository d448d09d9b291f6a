"""From operation ids to task names: the same document always gives the same names.

A name is lower case with hyphens, at most 63 characters. What would be longer, or taken already, ends in a hash of
the method and path, so that no name depends on how many operations there are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from millrace.services.reserved_names import RESERVED

NAME_CHARS: Final = 63
_HASH_CHARS: Final = 8
_WORD: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")


def slug(text: str) -> str:
    """``getUserByID`` is ``get-user-by-id``; empty when the text holds no letter or digit of ASCII."""
    return "-".join(_WORD.findall(text[:1000])).lower()


def fitted(name: str, key: str) -> str:
    """The name, or when it is too long its beginning and a hash of ``key``."""
    return name if len(name) <= NAME_CHARS else hashed(name, key)


def hashed(name: str, key: str) -> str:
    """The beginning of a name and a hash of ``key``, at most NAME_CHARS long."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_CHARS]
    return f"{name[: NAME_CHARS - _HASH_CHARS - 1].rstrip('-')}-{digest}".lstrip("-")


def task_names(operations: Iterable[tuple[str, str, str]], *, prefix: str) -> dict[tuple[str, str], str]:
    """Names by (path, method) for (path, method, operation id) triples. Of operations that want the same name, the
    first by path and method gets it."""
    names: dict[tuple[str, str], str] = {}
    taken: set[str] = set(RESERVED)
    for path, method, operation_id in sorted(operations):
        key = f"{method} {path}"
        wanted = slug(operation_id) or slug(f"{method} {path}") or method
        name = fitted(f"{prefix}-{wanted}" if prefix else wanted, key)
        if name in taken:
            name = hashed(name, key)
        taken.add(name)
        names[(path, method)] = name
    return names
