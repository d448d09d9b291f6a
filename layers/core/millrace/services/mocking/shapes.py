"""Schemas of an OpenAPI document as this package needs them: whole, and asked for the kinds of their parts."""

from __future__ import annotations

from typing import Any, Final

from millrace.services.openapi.references import Document, mapping, sequence
from millrace.services.openapi.schemas import Schemas, Side

SCHEMA_BYTES: Final = 1024 * 1024
"""Bytes of one schema with all that it refers to; what is further away fits everything."""
_PARTS: Final = 24


class Shapes:
    def __init__(self, document: Document, schemas: Schemas) -> None:
        self._document, self._schemas = document, schemas

    def whole(self, raw: Any, where: str, side: Side) -> dict[str, Any]:
        """A JSON Schema with everything that it refers to, of the schema that stands at ``where``."""
        schema, shared = self._schemas.assemble(self._schemas.piece(raw, where, side), SCHEMA_BYTES, side, where)
        if not isinstance(schema, dict):
            schema = {} if schema else {"not": {}}
        return {**schema, "$defs": shared} if shared else schema

    def kind(self, raw: Any) -> str:
        """The one type of a schema, null aside; ``any`` where it does not tell."""
        return self._schemas.kind(raw)

    def properties(self, raw: Any) -> dict[str, str]:
        """The kinds of the declared properties of an object."""
        found: dict[str, str] = {}
        for schema in self._conjuncts(raw):
            for name, part in mapping(schema.get("properties")).items():
                found.setdefault(str(name), self._schemas.kind(part))
        return found

    def items(self, raw: Any, name: str = "") -> str:
        """The kind of the items of an array, or of the array that is the property ``name`` of an object."""
        if name:
            parts = (mapping(schema.get("properties")).get(name) for schema in self._conjuncts(raw))
            raw = next((part for part in parts if part is not None), {})
        return next((self._schemas.kind(one["items"]) for one in self._conjuncts(raw) if "items" in one), "any")

    def _conjuncts(self, raw: Any) -> list[dict[str, Any]]:
        """A schema and what it takes in by ``allOf``."""
        found: list[dict[str, Any]] = []
        left = [raw]
        while left and len(found) < _PARTS:
            try:
                one = mapping(self._document.resolve(left.pop(0)))
            except LookupError:
                continue
            found.append(one)
            left += sequence(one.get("allOf"))
        return found
