"""Checks of the cases of a switch: what can never be chosen was meant otherwise."""

from __future__ import annotations

from typing import Any

from millrace.base.canonical import dumps
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environments
from millrace.spec.findings import Path
from millrace.spec.shapes import disjoint, json_type, types_of, values_of
from millrace.spec.sites import Site, Sites
from millrace.spec.tasks.switch import Switch
from millrace.spec.tree import Tree


def check_switches(report: Report, tree: Tree, sites: Sites, environments: Environments) -> None:
    """Cases that another one comes before, or whose value cannot be. Linear in cases."""
    values = {
        site.task: site for site in sites.sites if site.whole and site.inside == ("value",) and site.use == "block"
    }
    constants = {
        (site.task, site.path[-2]): site.expression.evaluate({})
        for site in sites.sites
        if site.use == "match" and site.path[-3:-2] == ("cases",) and site.expression.constant
    }
    for placed in tree.tasks:
        block = placed.task.block
        if not isinstance(block, Switch):
            continue
        seen: dict[bytes, int] = {}
        always: int | None = None
        for index, case in enumerate(block.cases):
            path: Path = (*placed.path, "switch", "cases", index)
            when = constants.get((placed.index, index), case.when)
            if always is not None:
                _never(report, path, f"the case before it, number {always + 1}, always holds")
            elif when is False:
                _never(report, (*path, "when"), "its condition is always false")
            elif when is True:
                always = index
            elif when is None:
                first = seen.setdefault(dumps(case.match), index)
                if first != index:
                    _never(report, (*path, "match"), f"case number {first + 1} has the same match")
                else:
                    why = _impossible(case.match, values.get(placed.index), environments)
                    if why:
                        _never(report, (*path, "match"), why)
        if always is not None and block.default is not None:
            _never(report, (*placed.path, "switch", "default"), f"case number {always + 1} always holds")


def _never(report: Report, path: Path, why: str) -> None:
    what = "default" if path[-1] == "default" else "case"
    fix = "Take it out, or correct what it is compared with."
    report.add("unreachable-case", f"the {what} is never chosen: {why}", path, fix=fix)


def _impossible(match: Any, site: Site | None, environments: Environments) -> str:
    """Why a value can never equal a literal, as far as schemas tell; empty if it can."""
    if site is None:
        return ""
    shape = environments.of(site.task).shape(site.expression)
    allowed, kinds = values_of(shape), types_of(shape)
    if allowed is not None and match not in allowed:
        return f"the value is one of {', '.join(str(one) for one in allowed[:12])}"
    if disjoint(kinds, frozenset({json_type(match)})):
        return f"the value is {' or '.join(sorted(kinds or ()))}, and the match is {json_type(match)}"
    return ""
