"""Checks of what operators and functions are given, as far as literals and declared schemas tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from millrace.expr.inference import Inferred, Lookup, infer
from millrace.expr.signatures import Kinds
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environment
from millrace.spec.shapes import ANYTHING, Shape, types_of
from millrace.spec.sites import Site, Sites

_KINDS: Final[Mapping[str, frozenset[str]]] = {
    "array": frozenset({"list"}),
    "boolean": frozenset({"bool"}),
    "integer": frozenset({"int"}),
    "null": frozenset({"null"}),
    "number": frozenset({"int", "double"}),
    "object": frozenset({"map"}),
    "string": frozenset({"string"}),
}
_TYPES: Final[Mapping[str, str]] = {
    "bool": "boolean",
    "double": "number",
    "int": "integer",
    "list": "array",
    "map": "object",
    "null": "null",
    "string": "string",
}
_CODES: Final = {"never": "operand-type", "constant": "constant-comparison"}


def check_operands(
    report: Report, sites: Sites, environment: Callable[[int | None], Environment], own: Mapping[int, Shape]
) -> None:
    """Every expression outside of the steps of transforms, which `check_step_types` judges. ``own`` maps a task's index
    to the shape of what it produces."""
    for site in sites.sites:
        if site.expression.tree is not None:
            output = own.get(site.task, ANYTHING) if site.task is not None and site.use == "output" else ANYTHING
            report_misuses(report, site, infer(site.expression, _lookup(environment(site.task), output)))


def report_misuses(report: Report, site: Site, inferred: Inferred) -> None:
    """A finding for each operation of an expression that can never work, or never tells anything."""
    for misuse in inferred.misuses:
        report.add_at(site, misuse.offset, _CODES[misuse.sort], misuse.message, fix=misuse.fix)


def type_of(site: Site, environment: Environment) -> frozenset[str] | None:
    """The JSON types of an expression's value, as far as literals and schemas tell."""
    kinds = infer(site.expression, _lookup(environment, ANYTHING)).kinds
    return None if kinds is None else json_types(kinds)


def json_types(kinds: Kinds) -> frozenset[str]:
    """The JSON types of the kinds of an expression's value."""
    return frozenset(_TYPES[kind] for kind in kinds)


def kinds_of(shape: Shape | None) -> Kinds | None:
    """The kinds of an expression's value that a schema allows, None if it does not tell."""
    types = None if shape is None else types_of(shape)
    if not types or not types <= _KINDS.keys():
        return None
    return frozenset(kind for name in types for kind in _KINDS[name])


def _lookup(environment: Environment, own_output: Shape) -> Lookup:
    return lambda path: kinds_of(environment.follow(path, own_output).shape)
