"""Checks of transforms: that they are given items, and that their steps read what the steps before leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from millrace.spec.checks.operands import type_of
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environment
from millrace.spec.findings import Path, Severity
from millrace.spec.shapes import disjoint, json_type
from millrace.spec.sites import GUARDS, Site, Sites, texts
from millrace.spec.suggest import asking
from millrace.spec.tree import Placed

_ARRAY: Final = frozenset({"array"})
_OBJECT: Final = frozenset({"object"})


def check_strays(report: Report, sites: Sites) -> None:
    """Steps that read a field of an item that an earlier step has not made."""
    strays = [((*path, one.step), one) for _, path, plan in sites.plans for one in getattr(plan, "strays", tuple)()]
    for path, stray in strays:
        names = report.nearest(stray.name, stray.known)
        message = f"no item has the field {stray.name} here: an earlier step left {_listed(stray.known)}."
        fix = f"Write {names[0]}." if names else f"Make {stray.name} in the earlier step, or read another field."
        guarded = any(guard in text for _, text in texts(report.source.at(path)) for guard in GUARDS)
        severity: Severity | None = None if stray.fatal and not guarded else "warning"
        report.add("unknown-field", message + asking(names), path, fix=fix, names=names, severity=severity)


def _listed(known: frozenset[str]) -> str:
    shown = sorted(known)
    return ", ".join(shown[:12]) + (f" and {len(shown) - 12} more" if len(shown) > 12 else "")


def check_items(report: Report, placed: Placed, inputs: Mapping[Path, Site | None], environment: Environment) -> None:
    """What a transform is given. ``inputs`` holds the expressions that are all of its input, at ``()``, or all of its
    items, at ``("items",)``."""
    task = placed.task
    given, path = task.input, placed.place("input")
    whole, items = inputs[()], inputs[("items",)]
    if whole is not None:
        _wants(report, whole, environment, _OBJECT, "input", "a transform needs a mapping with items")
    elif not isinstance(given, dict) or "items" not in given:
        message = "a transform works on input.items, which it is not given"
        where = path if "input" in task.model_fields_set else placed.path
        report.add("missing-input", message, where, fix="Add input: {items: …}, an array or an expression for one.")
    elif items is not None:
        _wants(report, items, environment, _ARRAY, "items", "a transform works on an array")
    elif not isinstance(given["items"], list):
        message = f"items is {json_type(given['items'])}, and a transform works on an array"
        report.add("type-mismatch", message, (*path, "items"), fix="Give it an array, as in items: '{{input.rows}}'.")


def _wants(report: Report, site: Site, environment: Environment, wanted: frozenset[str], name: str, rule: str) -> None:
    found = type_of(site, environment)
    if disjoint(found, wanted):
        message = f"{name} is {' or '.join(sorted(found or ()))}, and {rule}"
        fix = f"Give it an {' or '.join(wanted)}."
        report.add_at(site, site.expression.offset, "type-mismatch", message, fix=fix)
