"""Checks of what a task gives to the reusable task or workflow that it names, against what that declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from millrace.spec.checks.operands import type_of
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environment
from millrace.spec.findings import Path
from millrace.spec.input_check import validate_part
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.schema_check import schema_problems
from millrace.spec.shapes import ANYTHING, Shape, disjoint, follow, json_type, types_of, values_of
from millrace.spec.sites import Site
from millrace.spec.suggest import asking
from millrace.spec.tree import Placed


class Callee(Struct, frozen=True):
    """What is called: its name, the schema of its input, and whether the defaults of that are filled in."""

    name: str
    schema: Mapping[str, Any]
    fills: bool

    @classmethod
    def of(cls, document: Workflow | WorkflowTask) -> Callee:
        if isinstance(document, WorkflowTask):
            return cls(document.metadata.name, document.spec.input_schema, fills=False)
        return cls(document.metadata.name, document.spec.input, fills=True)


def check_call(
    report: Report,
    placed: Placed,
    callee: Callee,
    inputs: Mapping[tuple[int, Path], Site],
    environment: Environment,
) -> None:
    """Inputs that are missing, unknown, or of the wrong type. ``inputs`` are their expressions."""
    schema = callee.schema
    task, index = placed.task, placed.index
    base = placed.place("input")
    given = task.input
    if schema_problems(schema):
        return
    if not isinstance(given, dict):
        _check_whole(report, callee, given, inputs.get((index, ())), base, environment)
        return
    declared = schema.get("properties")
    declared = declared if isinstance(declared, dict) else {}
    for name in schema.get("required", ()):
        shape = declared.get(name)
        if name not in given and not (callee.fills and isinstance(shape, dict) and "default" in shape):
            message = f'{callee.name} requires the input "{name}"'
            where = base if "input" in task.model_fields_set else placed.path
            report.add("missing-input", message, where, fix=f"Add {name} to input.")
    for name, value in given.items():
        path = (*base, name)
        if name not in declared:
            if schema.get("additionalProperties") is False:
                names = report.nearest(name, declared)
                message = f'{callee.name} has no input "{name}".{asking(names)}'
                at = report.source.key_position(path)
                fix = f"Write {names[0]}." if names else "Take it out."
                report.add("unknown-input", message, path, fix=fix, names=names, at=at)
            continue
        wants = follow(Shape.of(schema), (name,)).shape
        site = inputs.get((index, (name,)))
        if wants is not None and (site is not None or isinstance(value, dict | list)) and dynamic(value):
            found, wanted = _given(site, value, environment), types_of(wants)
            if not disjoint(found, wanted):
                found, wanted = _choices(site, environment, wants)
            if disjoint(found, wanted):
                message = f"{name} is {words(found)}, and {callee.name} takes {words(wanted)}"
                _mismatch(report, site, path, message, wanted)
        elif not dynamic(value):
            for wrong in validate_part(schema, name, declared[name], value):
                report.add("type-mismatch", wrong.message, path, fix=f"Give it {wrong.expected}.")


def _check_whole(
    report: Report, callee: Callee, given: str, site: Site | None, base: Path, environment: Environment
) -> None:
    """An input that is one text: an expression that gives all of it, or a mistake."""
    if site is None and dynamic(given):
        return  # it does not compile
    wanted = types_of(Shape.of(callee.schema))
    found = _given(site, given, environment)
    if disjoint(found, wanted):
        message = f"the input is {words(found)}, and {callee.name} takes {words(wanted)}"
        _mismatch(report, site, base, message, wanted)
        return
    shape = ANYTHING if site is None else environment.shape(site.expression)
    declared = callee.schema.get("properties")
    for name in callee.schema.get("required", ()):
        below = declared.get(name) if isinstance(declared, dict) else None
        default = callee.fills and isinstance(below, dict) and "default" in below
        if follow(shape, (name,)).shape is None and not default:
            message = f'{callee.name} requires the input "{name}", which what is given does not have'
            report.add("missing-input", message, base, fix=f"Write input as a mapping, with {name}.")


def _mismatch(report: Report, site: Site | None, path: Path, message: str, wanted: frozenset[str] | None) -> None:
    fix = f"Give it {words(wanted)}."
    if site is None:
        report.add("type-mismatch", message, path, fix=fix)
    else:
        report.add_at(site, site.expression.offset, "type-mismatch", message, fix=fix)


def _given(site: Site | None, value: Any, environment: Environment) -> frozenset[str] | None:
    """The types of what a value with templates gives: of its expression, if that is all of it."""
    if site is not None and site.whole:
        return type_of(site, environment)
    return frozenset({json_type(value)})


def _choices(
    site: Site | None, environment: Environment, wants: Shape
) -> tuple[frozenset[str] | None, frozenset[str] | None]:
    """The texts that can be given and those that are taken, where both are listed."""
    given = values_of(environment.shape(site.expression)) if site is not None and site.whole else None
    taken = values_of(wants)
    if given is None or taken is None or not all(isinstance(one, str) for one in [*given, *taken]):
        return None, None
    return frozenset(f'"{one}"' for one in given), frozenset(f'"{one}"' for one in taken)


def words(kinds: frozenset[str] | None) -> str:
    """Types as they stand in a message."""
    return " or ".join(sorted(kinds or ()))


def dynamic(value: Any) -> bool:
    """Whether a value holds a template."""
    if isinstance(value, dict):
        return any(dynamic(item) for item in value.values())
    if isinstance(value, list):
        return any(dynamic(item) for item in value)
    return isinstance(value, str) and "{{" in value
