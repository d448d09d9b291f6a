"""The operations of a document, each with where it stands and what it shares with its path."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from millrace.base.errors import TooLarge
from millrace.base.limits import OPENAPI_OPERATIONS
from millrace.services.openapi.notes import Notes, below
from millrace.services.openapi.references import Document, mapping

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch")
"""What an http task can send; TRACE and others are noted."""
_OTHERS: Final = frozenset({"trace", "query"})


class Operation(Struct, frozen=True):
    """``where`` is the JSON Pointer of ``value``, ``item_where`` that of the path item it belongs to."""

    path: str
    method: str
    value: dict[str, Any]
    where: str
    item: dict[str, Any]
    item_where: str

    @property
    def id(self) -> str:
        found = self.value.get("operationId")
        return found if isinstance(found, str) else ""

    @property
    def title(self) -> str:
        """``GET /users/{id}``: what an operation is called for good, whatever becomes of its id."""
        return f"{self.method.upper()} {self.path}"


def operations(document: Document, notes: Notes) -> list[Operation]:
    """By path as the document has them. Raises TooLarge past OPENAPI_OPERATIONS."""
    found: list[Operation] = []
    for path, raw in mapping(document.value.get("paths")).items():
        if path.startswith("x-"):
            continue
        where = below("/paths", path)
        try:
            item = mapping(document.resolve(raw))
        except LookupError as error:
            notes.add("path", where, f"the path cannot be read: {error}", refused=True)
            continue
        if not path.startswith("/") or not path.isprintable() or len(path) > 1000:
            notes.add("path", where, "a path begins with a slash and holds no control characters", refused=True)
            continue
        for method in METHODS:
            if isinstance(item.get(method), dict):
                here = below(where, method)
                found.append(Operation(path, method, item[method], here, item, where))
        for method in sorted(_OTHERS & item.keys()):
            notes.add("method", below(where, method), f"an http task cannot send {method.upper()}", refused=True)
        if len(found) > OPENAPI_OPERATIONS:
            raise TooLarge(
                f"the OpenAPI document holds more than {OPENAPI_OPERATIONS} operations",
                hint="Split it by paths, and import each part with its own source name.",
                facts={"limit": OPENAPI_OPERATIONS, "size": len(found), "unit": "operations"},
            )
    if mapping(document.value.get("webhooks")):
        notes.add("webhooks", "/webhooks", "webhooks are calls to us, not operations; left out")
    return found
