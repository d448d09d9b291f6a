"""References inside one OpenAPI document. A reference out of it is never followed: it would be a request, or a file,
that the author of the document chose."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from msgspec import Struct

HOPS: Final = 64
"""References to references followed in a row."""


class Document(Struct, frozen=True):
    """``version`` is ``3.0`` or ``3.1``; ``hash`` the hex SHA-256 of the bytes it was read from."""

    value: dict[str, Any]
    version: str
    hash: str

    def find(self, reference: str) -> Any:
        """What ``#/a/b`` (RFC 6901 in a URI fragment) leads to. Raises LookupError, with a sentence."""
        if not reference.startswith("#"):
            raise LookupError(f"the reference {reference[:120]} leads out of the document")
        found: Any = self.value
        if reference != "#" and not reference.startswith("#/"):
            raise LookupError(f"the reference {reference[:120]} is not a JSON Pointer")
        for part in reference.split("/")[1:]:
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and name in found:
                found = found[name]
            elif isinstance(found, list) and name.isascii() and name.isdigit() and int(name[:9]) < len(found):
                found = found[int(name[:9])]
            else:
                raise LookupError(f"the reference {reference[:120]} leads to nothing")
        return found

    def resolve(self, value: Any) -> Any:
        """A value with its own ``$ref`` followed, as often as needed. Raises LookupError, also when the references
        lead in a circle."""
        seen: set[str] = set()
        while isinstance(value, dict) and isinstance(value.get("$ref"), str):
            reference = value["$ref"]
            if reference in seen or len(seen) >= HOPS:
                raise LookupError(f"the reference {reference[:120]} leads back to itself")
            seen.add(reference)
            value = self.find(reference)
        return value


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a mapping, otherwise an empty one: what stands in the wrong place says nothing."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """The value if it is a list, otherwise an empty one."""
    return value if isinstance(value, list) else []


def words(value: Any, limit: int) -> str:
    """A text for people, without control characters and at most ``limit`` long; empty for anything else."""
    if not isinstance(value, str):
        return ""
    plain = "".join(char for char in value[: 2 * limit] if char == "\n" or char.isprintable()).strip()
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
