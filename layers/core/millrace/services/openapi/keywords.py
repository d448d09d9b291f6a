"""Which keywords of an OpenAPI schema go into a JSON Schema (2020-12), and which values of them may.

Documents in the wild hold ``required: true``, texts where numbers belong, and patterns of other engines. A schema
of ours has to be valid as a whole, so each keyword is judged by itself and left out alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from millrace.base.canonical import dumps
from millrace.services.openapi.references import words
from millrace.spec.plain_schema import TYPES
from millrace.spec.schema_check import schema_problems

ENUM_ITEMS: Final = 500
ENUM_BYTES: Final = 8 * 1024
TEXT_CHARS: Final = 500
VALUE_BYTES: Final = 2 * 1024
NAMED: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
"""Keywords that hold schemas by name."""
IN_PLACE: Final = frozenset({"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"})
"""Keywords whose schemas apply to the same value, not to a part of it."""
SILENT: Final = frozenset(
    {"discriminator", "example", "externalDocs", "xml", "nullable", "$comment", "$defs", "definitions", "$schema"}
)
"""Keywords that say nothing about which values fit, or that are read elsewhere."""


def _count(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    return value if type(value) is int and value >= 0 else None


def _number(value: Any) -> Any:
    return value if type(value) in (int, float) else None


def _positive(value: Any) -> Any:
    return value if type(value) in (int, float) and value > 0 else None


def _flag(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def _text(value: Any) -> Any:
    return words(value, TEXT_CHARS) or None


def _names(value: Any) -> Any:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return list(dict.fromkeys(value))


def _type(value: Any) -> Any:
    if isinstance(value, str):
        return value if value in TYPES else None
    known = [item for item in value if isinstance(item, str) and item in TYPES] if isinstance(value, list) else []
    return list(dict.fromkeys(known)) or None


def _enum(value: Any) -> Any:
    if not isinstance(value, list) or not 0 < len(value) <= ENUM_ITEMS:
        return None
    return value if len(dumps(value)) <= ENUM_BYTES else None


def _values(value: Any) -> Any:
    return value if isinstance(value, list) and len(dumps(value)) <= VALUE_BYTES else None


def _pattern(value: Any) -> Any:
    if not isinstance(value, str) or len(value) > TEXT_CHARS:
        return None
    return None if schema_problems({"pattern": value}) else value


def _dependent(value: Any) -> Any:
    if not isinstance(value, dict) or any(_names(item) is None for item in value.values()):
        return None
    return {key: _names(item) for key, item in value.items()}


PLAIN: Final[dict[str, Callable[[Any], Any]]] = {
    "contentEncoding": _text,
    "contentMediaType": _text,
    "dependentRequired": _dependent,
    "deprecated": _flag,
    "description": _text,
    "enum": _enum,
    "examples": _values,
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
"""Keywords without schemas in them: name → the value as it may stand, None where it may not."""


def small(value: Any) -> bool:
    """Whether a default, constant or example is worth its place."""
    return len(dumps(value)) <= VALUE_BYTES
