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
from millrace.spec.shapes import Shape, disjoint, follow, types_of
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
    """Inputs that are missing, unknown, or of the wrong type. ``inputs`` are the expressions that are all of one."""
    schema = callee.schema
    task, index = placed.task, placed.index
    base = placed.place("input")
    given = task.input
    if not isinstance(given, dict) or schema_problems(schema):
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
        if site is not None and wants is not None:
            found, wanted = type_of(site, environment), types_of(wants)
            if disjoint(found, wanted):
                message = f"{name} is {words(found)}, and {callee.name} takes {words(wanted)}"
                report.add_at(site, site.expression.offset, "type-mismatch", message, fix=f"Give it {words(wanted)}.")
        elif not dynamic(value):
            for wrong in validate_part(schema, name, declared[name], value):
                report.add("type-mismatch", wrong.message, path, fix=f"Give it {wrong.expected}.")


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
