"""What JSON Schemas tell about a path: whether it can exist, and of which type it is.

A schema that lists properties and says nothing about others is taken as complete: a path that it does not list is
more likely misspelt than meant. ``additionalProperties: true`` opens it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from msgspec import Struct

from millrace.expr import Segment

_HOPS: Final = 32  # references followed in a row; schema_problems refuses rings
_MOST_CHOICES: Final = 50  # every read below is followed through each
OPEN: Final[dict[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Shape:
    """A schema and the document that its references lead into. Where a schema is expected inside another one, a shape
    may stand, with references of its own."""

    schema: Any
    root: Any = field(repr=False)

    @classmethod
    def of(cls, schema: Any) -> Shape:
        return cls(schema, schema)


class Verdict(Struct, frozen=True):
    """Where a path leads. ``shape`` is None if it leads nowhere: then ``index`` is the segment that is not there,
    ``known`` the names that are, and ``reason`` says what stands there instead."""

    shape: Shape | None
    index: int = 0
    known: tuple[str, ...] = ()
    reason: str = ""


_ARRAY: Final = frozenset({"array"})
_HOLDING: Final = frozenset({"array", "object"})
ANYTHING: Final = Shape(OPEN, OPEN)


def follow(shape: Shape, segments: Sequence[Segment]) -> Verdict:
    """Follow keys and positions through a schema."""
    for index, segment in enumerate(segments):
        below, known, reason = _step(shape, segment)
        if below is None:
            return Verdict(None, index, known, reason)
        shape = below
    return Verdict(shape)


def types_of(shape: Shape) -> frozenset[str] | None:
    """The JSON types a schema allows, None if it does not tell. An integer is a number."""
    schema = resolved(shape).schema
    if not isinstance(schema, dict):
        return None
    kinds = schema.get("type")
    if kinds is None and isinstance(schema.get("anyOf"), list):
        each = [types_of(Shape(branch, shape.root)) for branch in schema["anyOf"]]
        return frozenset().union(*(one for one in each if one is not None)) if None not in each else None
    if isinstance(kinds, str):
        return frozenset({kinds})
    if isinstance(kinds, list):
        return frozenset(kind for kind in kinds if isinstance(kind, str))
    if "const" in schema:
        return frozenset({json_type(schema["const"])})
    if isinstance(schema.get("enum"), list):
        return frozenset(json_type(item) for item in schema["enum"])
    return None


def values_of(shape: Shape) -> list[Any] | None:
    """The values that a schema lists, None if it lists none."""
    schema = resolved(shape).schema
    if not isinstance(schema, dict):
        return None
    listed = [schema["const"]] if "const" in schema else schema.get("enum")
    return listed if isinstance(listed, list) else None


def deprecation_of(shape: Shape) -> str | None:
    """What a schema that is deprecated says of itself, as the end of a sentence; None for one that is not."""
    for _ in range(_HOPS):
        schema = shape.schema
        if isinstance(schema, Shape):
            shape = schema
            continue
        if not isinstance(schema, dict):
            return None
        if schema.get("deprecated") is True:
            said = schema.get("description")
            return f": {said}" if isinstance(said, str) and said else ""
        if not isinstance(schema.get("$ref"), str):
            return None
        shape = _referred(shape, schema["$ref"])
    return None


def bounds_of(shape: Shape) -> tuple[int | float | None, int | float | None]:
    """The least and the greatest number that a schema allows, each None where it does not tell."""
    schema = resolved(shape).schema
    found = [schema.get(key) for key in ("minimum", "maximum")] if isinstance(schema, dict) else [None, None]
    least, most = (one if isinstance(one, int | float) else None for one in found)
    return least, most


def json_type(value: Any) -> str:
    """The JSON Schema type of a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list | tuple) else "object"


def disjoint(given: frozenset[str] | None, wanted: frozenset[str] | None) -> bool:
    """Whether no value can be of both; unknown types are never disjoint."""
    if given is None or wanted is None:
        return False
    return not _widened(given) & _widened(wanted)


def constant_shape(value: Any) -> Shape:
    """The exact shape of a constant: a mapping has its keys and no others."""
    return Shape.of(_constant(value))


def _constant(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        properties = {key: _constant(item) for key, item in value.items()}
        return {"type": "object", "properties": properties, "additionalProperties": False}
    if isinstance(value, list):
        return {"type": "array", "prefixItems": [_constant(item) for item in value], "items": False}
    return {"type": json_type(value)}


def either(shapes: Sequence[Shape]) -> Shape:
    """The shape of a value that has one of several; of many different ones nothing is told."""
    different = list({id(found.schema): found for found in map(resolved, shapes)}.values())
    if not 0 < len(different) <= _MOST_CHOICES or any(found.schema in (OPEN, True) for found in different):
        return ANYTHING
    return different[0] if len(different) == 1 else Shape.of({"anyOf": different})


def items_of(shape: Shape) -> Shape:
    """The shape of the items of an array; anything where it does not tell."""
    shape = resolved(shape)
    schema = shape.schema
    if not isinstance(schema, dict) or types_of(shape) != _ARRAY or "anyOf" in schema:
        return ANYTHING
    first, items = schema.get("prefixItems"), schema.get("items")
    if isinstance(first, list) and items is False:
        alike = {repr(one): Shape(one, shape.root) for one in first}
        return either(list(alike.values()))
    return Shape(items, shape.root) if isinstance(items, dict | Shape) and not first else ANYTHING


def count_of(shape: Shape) -> tuple[int, bool] | None:
    """How many items an array can have at most, and whether it always has that many; None where it does not tell."""
    shape = resolved(shape)
    schema = shape.schema
    if not isinstance(schema, dict) or types_of(shape) != _ARRAY:
        return None
    first, most = schema.get("prefixItems"), schema.get("maxItems")
    if isinstance(first, list) and schema.get("items") is False:
        return len(first), True
    return (most, False) if isinstance(most, int) else None


def _widened(kinds: frozenset[str]) -> frozenset[str]:
    return kinds | {"integer"} if "number" in kinds else kinds


def resolved(shape: Shape) -> Shape:
    """The shape that references lead to; anything where they go on too long."""
    for _ in range(_HOPS):
        schema = shape.schema
        if isinstance(schema, Shape):
            shape = schema
            continue
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#"):
            return shape
        shape = _referred(shape, reference)
    return ANYTHING


def _referred(shape: Shape, reference: str) -> Shape:
    found = shape.root
    for part in reference.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name, OPEN) if isinstance(found, dict) else OPEN
    return Shape(found, shape.root)


Step = tuple[Shape | None, tuple[str, ...], str]


def _step(shape: Shape, segment: Segment) -> Step:
    shape = resolved(shape)
    schema = shape.schema
    if not isinstance(schema, dict):
        return (None, (), "nothing is allowed there") if schema is False else (ANYTHING, (), "")
    if any(key in schema for key in ("anyOf", "oneOf", "allOf", "if", "not")):
        return _choices(shape, schema, segment)
    return _plain(shape, schema, segment)


def _choices(shape: Shape, schema: Mapping[str, Any], segment: Segment) -> Step:
    """A path exists if any branch has it. Branches that say nothing about names leave everything open, but for those
    that nothing can be below."""
    known: list[str] = list(schema.get("properties", ()))
    if isinstance(segment, str) and segment in schema.get("properties", {}):
        return Shape(schema["properties"][segment], shape.root), (), ""
    found: list[Shape] = []
    for key in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(key)
        for branch in branches if isinstance(branches, list) else ():
            one = resolved(Shape(branch, shape.root))
            if key != "allOf" and disjoint(types_of(one), _HOLDING):
                continue
            if not isinstance(one.schema, dict) or not one.schema.get("properties"):
                return ANYTHING, (), ""
            below, names, _ = _step(one, segment)
            if below is not None:
                found.append(below)
            known += names
    if found:
        return either(found), (), ""
    if "if" in schema or "not" in schema or not known:
        return ANYTHING, (), ""
    return None, tuple(known), ""


def _plain(shape: Shape, schema: Mapping[str, Any], segment: Segment) -> Step:
    kinds = types_of(shape)
    if kinds is not None and not kinds & {"object", "array"}:
        return None, (), f"it is {' or '.join(sorted(kinds))}"
    if isinstance(segment, str):
        if kinds is not None and "object" not in kinds:
            return None, (), "it is an array"
        return _field(shape, schema, segment)
    if isinstance(segment, int) and kinds is not None and "array" not in kinds:
        return _field(shape, schema, str(segment))
    fixed = schema.get("prefixItems")
    if isinstance(segment, int) and isinstance(fixed, list) and 0 <= segment < len(fixed):
        return Shape(fixed[segment], shape.root), (), ""
    items = schema.get("items")
    if isinstance(segment, int) and isinstance(fixed, list) and items is False:
        return None, (), f"the list has {len(fixed)}, counted from 0"
    if isinstance(items, dict | Shape) and kinds == _ARRAY:
        return Shape(items, shape.root), (), ""
    return ANYTHING, (), ""


def _field(shape: Shape, schema: Mapping[str, Any], name: str) -> Step:
    properties = schema.get("properties")
    declared: Mapping[str, Any] = properties if isinstance(properties, dict) else {}
    if name in declared:
        return Shape(declared[name], shape.root), (), ""
    others = schema.get("additionalProperties")
    if isinstance(others, dict | Shape):
        return Shape(others, shape.root), (), ""
    if schema.get("patternProperties") or others is True or (others is None and not declared):
        return ANYTHING, (), ""
    return None, tuple(declared), ""
