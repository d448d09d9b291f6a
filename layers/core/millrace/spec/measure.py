"""How large a value can be at most, as far as its schema tells: bytes of its JSON in UTF-8.

A text of n characters takes up to 4n bytes; a number is taken as 24. What a schema leaves open counts as nothing, so
the result says what is allowed at least, and never more than what can be.
"""

from __future__ import annotations

from typing import Any, Final

from millrace.base.canonical import dumps
from millrace.spec.shapes import Shape, resolved

_CHARACTER: Final = 4
_NUMBER: Final = 24
_PLAIN: Final = {"boolean": 5, "null": 4, "integer": 20, "number": _NUMBER}
_DEEPEST: Final = 16  # schemas below schemas; one that refers to itself ends here
_CEILING: Final = 1 << 60


def most_bytes(shape: Shape, depth: int = 0) -> int:
    """The most bytes that what is declared can take."""
    shape = resolved(shape)
    schema = shape.schema
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return 0
    if "const" in schema:
        return len(dumps(schema["const"]))
    if isinstance(schema.get("enum"), list):
        return max((len(dumps(value)) for value in schema["enum"]), default=0)
    found = max(_of_kind(kind, shape, depth) for kind in _kinds(schema))
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            found = max([found, *(most_bytes(Shape(one, shape.root), depth + 1) for one in schema[key])])
    return min(found, _CEILING)


def _kinds(schema: dict[str, Any]) -> list[Any]:
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return kinds or [""]
    if kinds is not None:
        return [kinds]
    return ["object", "array"] if schema.get("properties") or schema.get("items") else [""]


def _of_kind(kind: Any, shape: Shape, depth: int) -> int:
    schema = shape.schema
    if kind == "string":
        most = schema.get("maxLength")
        return 2 + _CHARACTER * int(most) if isinstance(most, int) else 0
    if kind == "array":
        return _array(shape, depth)
    if kind == "object":
        properties = schema.get("properties")
        named = properties.items() if isinstance(properties, dict) else ()
        return 2 + sum(len(dumps(name)) + 2 + most_bytes(Shape(one, shape.root), depth + 1) for name, one in named)
    return _PLAIN.get(kind, 0) if isinstance(kind, str) else 0


def _array(shape: Shape, depth: int) -> int:
    schema = shape.schema
    first, items, most = schema.get("prefixItems"), schema.get("items"), schema.get("maxItems")
    fixed = first if isinstance(first, list) else []
    size = 2 + sum(1 + most_bytes(Shape(one, shape.root), depth + 1) for one in fixed)
    if isinstance(most, int) and isinstance(items, dict | Shape):
        size += max(0, most - len(fixed)) * (1 + most_bytes(Shape(items, shape.root), depth + 1))
    return size
