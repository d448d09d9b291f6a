"""What a schema comes down to: the plain schemas that a value has to fit all at once, one list for each choice.

``$ref`` and ``allOf`` add to a list; ``anyOf``, ``oneOf`` and ``if`` make several lists, of which any may do. ``not``,
and that only one of ``oneOf`` may fit, is left to whoever holds a value against the whole schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from msgspec import Struct

from millrace.spec.patterns import found

_COMBINE: Final = frozenset({"$ref", "allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "$defs"})
_DEEP: Final = 64
_MOST: Final = 64
"""Choices looked at; where schemas combine many, the later ones are not tried."""

Plain = dict[str, Any]


class Way(Struct, frozen=True):
    """One choice: the plain schemas, and the names of the shared ones among them."""

    schemas: tuple[Plain, ...]
    names: frozenset[str]


class Conjuncts:
    """``shared`` are the ``$defs`` that references lead to."""

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._shared = shared

    def ways(self, schema: Any, entered: frozenset[str]) -> list[Way]:
        """The choices in their order, those first that lead back to none of the schemas that were ``entered``."""
        ways = list(islice(self._ways(schema, 0), _MOST))
        return sorted(ways, key=lambda way: not way.names.isdisjoint(entered))

    def _ways(self, schema: Any, depth: int) -> Iterator[Way]:
        if schema is False or depth > _DEEP:
            return
        if not isinstance(schema, dict):
            yield Way(({},), frozenset())
            return
        parts: list[Any] = []
        name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
        if name in self._shared:
            parts.append(self._shared[name])
        parts += schema.get("allOf", ())
        parts += schema.get("dependentSchemas", {}).values()
        choices = [[part] for part in parts]
        choices += [schema[key] for key in ("anyOf", "oneOf") if key in schema]
        if "if" in schema:
            choices.append([{"allOf": [schema["if"], schema.get("then", True)]}, schema.get("else", True)])
        own: Plain = {key: value for key, value in schema.items() if key not in _COMBINE}
        for schemas, names in self._product(choices, depth + 1):
            yield Way((own, *schemas) if own else schemas or ({},), names | {name} if name else names)

    def _product(self, choices: list[list[Any]], depth: int) -> Iterator[tuple[tuple[Plain, ...], frozenset[str]]]:
        if not choices:
            yield (), frozenset()
            return
        for choice in choices[0]:
            for way in self._ways(choice, depth):
                for schemas, names in self._product(choices[1:], depth):
                    yield (*way.schemas, *schemas), way.names | names


def kinds(schemas: tuple[Plain, ...]) -> list[str]:
    """The types that all schemas allow, in the order of the first that names any, null last; where none does, the ones
    that their keywords are about."""
    allowed: list[str] | None = None
    for one in schemas:
        if "type" in one:
            here = [one["type"]] if isinstance(one["type"], str) else one["type"]
            allowed = here if allowed is None else _both(allowed, here)
    if allowed is None:
        told = [kind for kind, keys in _ABOUT.items() if any(not keys.isdisjoint(one) for one in schemas)]
        return [*told, *(kind for kind in _ANY if kind not in told)]
    return sorted(allowed, key=lambda kind: kind == "null")


def _both(left: list[str], right: list[str]) -> list[str]:
    """What two lists of types have in common; an integer is a number too."""
    numbers = {"integer", "number"}
    kept = [kind for kind in left if kind in right or (kind == "integer" and "number" in right)]
    if "number" in left and "integer" in right and not numbers & set(kept):
        kept.append("integer")
    return kept


_ABOUT: Final[dict[str, frozenset[str]]] = {
    "object": frozenset({"properties", "required", "additionalProperties", "minProperties", "patternProperties"}),
    "array": frozenset({"items", "prefixItems", "minItems", "contains"}),
    "string": frozenset({"pattern", "minLength", "maxLength", "format"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
}
_ANY: Final = ("object", "array", "string", "number", "boolean", "null")


def of_property(schemas: tuple[Plain, ...], name: str) -> Any:
    """The schema of one property of objects that fit all schemas."""
    parts: list[Any] = []
    for one in schemas:
        declared = one.get("properties", {})
        matching = [part for pattern, part in one.get("patternProperties", {}).items() if found(pattern, name)]
        here = [declared[name]] if name in declared else []
        parts += here + matching
        if not here and not matching and "additionalProperties" in one:
            parts.append(one["additionalProperties"])
    return together(parts)


def of_item(schemas: tuple[Plain, ...], index: int) -> Any:
    """The schema of the item at a position of arrays that fit all schemas."""
    parts: list[Any] = []
    for one in schemas:
        first = one.get("prefixItems", [])
        if index < len(first):
            parts.append(first[index])
        elif "items" in one:
            parts.append(one["items"])
    return together(parts)


def together(parts: list[Any]) -> Any:
    """One schema that asks for all of several."""
    asked = [part for part in parts if part is not True and part != {}]
    if not asked:
        return True
    return asked[0] if len(asked) == 1 else {"allOf": asked}
