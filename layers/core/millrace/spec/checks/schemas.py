"""Checks of JSON Schemas that are valid and hardly meant: nothing fits them, or a default that does not.

They are warnings, since a schema made elsewhere may say such things and work.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from millrace.spec.checks.report import Report
from millrace.spec.findings import Path
from millrace.spec.input_check import validate_part
from millrace.spec.shapes import json_type
from millrace.spec.suggest import asking

_PAIRS: Final = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
    ("minProperties", "maxProperties"),
    ("minContains", "maxContains"),
)
_NAMED: Final = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_MANY: Final = frozenset({"anyOf", "oneOf", "allOf", "prefixItems"})
_ONE: Final = frozenset({"items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames"})


def check_sense(report: Report, schema: Any, path: Path) -> None:
    """A schema that `schema_problems` finds nothing in. Linear in its size."""
    for inside, one in _every(schema):
        at = (*path, *inside)
        for low, high in _PAIRS:
            least, most = one.get(low), one.get(high)
            if isinstance(least, int | float) and isinstance(most, int | float) and least > most:
                message = f"nothing fits: {low} is {least}, and {high} is {most}"
                report.add("bad-schema", message, (*at, low), fix="Turn them round.", severity="warning")
        _required(report, one, at)
        _listed(report, one, at)
        if "default" in one:
            for wrong in validate_part(schema, "default", one, one["default"])[:1]:
                message = f"the default does not fit: {wrong.message}"
                fix = f"Give it {wrong.expected}."
                report.add("type-mismatch", message, (*at, "default"), fix=fix, severity="warning")


def _required(report: Report, schema: dict[str, Any], path: Path) -> None:
    declared, needed = schema.get("properties"), schema.get("required")
    if not isinstance(declared, dict) or not declared or not isinstance(needed, list):
        return
    if schema.get("additionalProperties") not in (None, False) or "patternProperties" in schema:
        return
    for index, name in enumerate(needed):
        if isinstance(name, str) and name not in declared:
            names = report.nearest(name, declared)
            message = f'"{name}" is required and not among the properties.{asking(names)}'
            fix = f"Write {names[0]}." if names else "Declare it, or take it out."
            report.add("bad-schema", message, (*path, "required", index), fix=fix, names=names, severity="warning")


def _listed(report: Report, schema: dict[str, Any], path: Path) -> None:
    """Values of `enum` that `type` rules out."""
    kinds, listed = schema.get("type"), schema.get("enum")
    if not isinstance(kinds, str | list) or not isinstance(listed, list):
        return
    allowed = {kinds} if isinstance(kinds, str) else set(kinds)
    for index, value in enumerate(listed):
        kind = json_type(value)
        whole = isinstance(value, float) and value.is_integer()
        if kind in allowed or (kind == "integer" and "number" in allowed) or (whole and "integer" in allowed):
            continue
        message = f"the value {index + 1} of enum is {kind}, and the type is {' or '.join(sorted(allowed))}"
        report.add("bad-schema", message, (*path, "enum", index), fix="Correct one of them.", severity="warning")


def _every(schema: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The schema and every one inside it, where a schema may stand."""
    stack: list[tuple[Path, Any]] = [((), schema)]
    while stack:
        path, one = stack.pop()
        if not isinstance(one, dict):
            continue
        yield path, one
        for key, item in one.items():
            if key in _NAMED and isinstance(item, dict):
                stack += [((*path, key, name), below) for name, below in item.items()]
            elif key in _MANY and isinstance(item, list):
                stack += [((*path, key, index), below) for index, below in enumerate(item)]
            elif key in _ONE:
                stack.append(((*path, key), item))
