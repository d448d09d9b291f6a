"""Schemas that are valid at a glance.

Holding a schema against the metaschema of JSON Schema 2020-12 takes milliseconds, most of them for following the
metaschema's own references, and loads the library that does it. Nearly all schemas that people write are made of a few
keywords whose values are easily judged: those are judged here, in microseconds. A schema that is not plain may be
valid or not; the metaschema says which, and why.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

_DEEPEST: Final = 64
TYPES: Final = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_LOCAL: Final = re.compile(r"#(/[A-Za-z0-9_.$-]+)*", re.ASCII)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _list(value: Any) -> bool:
    return isinstance(value, list)


def _anything(_value: Any) -> bool:
    return True


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _positive(value: Any) -> bool:
    return _number(value) and value > 0


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value)) and len(set(value)) == len(value)


def _type(value: Any) -> bool:
    if isinstance(value, str):
        return value in TYPES
    return _names(value) and bool(value) and TYPES.issuperset(value)


def _pattern(value: Any) -> bool:
    try:
        return _text(value) and bool(re.compile(value))
    except (re.error, OverflowError, RecursionError):
        return False


def _reference(value: Any) -> bool:
    return _text(value) and _LOCAL.fullmatch(value) is not None


_VALUES: Final[dict[str, Callable[[Any], bool]]] = {
    "$comment": _text,
    "$ref": _reference,
    "$schema": _text,  # which dialects there may be is judged apart
    "const": _anything,
    "contentEncoding": _text,
    "contentMediaType": _text,
    "default": _anything,
    "deprecated": _flag,
    "description": _text,
    "enum": _list,
    "examples": _list,
    "exclusiveMaximum": _number,
    "exclusiveMinimum": _number,
    "format": _text,
    "maxContains": _count,
    "maxItems": _count,
    "maxLength": _count,
    "maxProperties": _count,
    "maximum": _number,
    "minContains": _count,
    "minItems": _count,
    "minLength": _count,
    "minProperties": _count,
    "minimum": _number,
    "multipleOf": _positive,
    "pattern": _pattern,
    "readOnly": _flag,
    "required": _names,
    "title": _text,
    "type": _type,
    "uniqueItems": _flag,
    "writeOnly": _flag,
}
ONE: Final = frozenset({"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"})
"""Keywords that hold one schema."""
MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords that hold a list of schemas."""
_NAMED: Final = frozenset({"$defs", "dependentSchemas", "properties"})


def is_plain(schema: Any, depth: int = 0) -> bool:
    """Whether the metaschema surely finds nothing in a schema. Linear in its size."""
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return False
    for key, value in schema.items():
        judge = _VALUES.get(key)
        if judge is not None:
            fine = judge(value)
        elif key in ONE:
            fine = is_plain(value, depth + 1)
        elif key in MANY:
            fine = _list(value) and bool(value) and all(is_plain(item, depth + 1) for item in value)
        elif key in _NAMED:
            fine = isinstance(value, dict) and all(is_plain(item, depth + 1) for item in value.values())
        else:
            fine = key.startswith("x-")
        if not fine:
            return False
    return True
