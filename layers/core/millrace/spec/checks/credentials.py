"""Checks of references to secrets where nothing resolves them.

A secret can be named in two ways: ``secretRef`` in the `auth` of a request, and ``secrets.name`` in an expression in
the `headers`, `auth`, `query` or body of one. Both are resolved behind the outbound gate, so no value that a workflow
holds has a secret in it. Anywhere else ``secretRef`` is a key like any other, and what is called gets the name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from millrace.spec.checks.report import Report
from millrace.spec.findings import Path
from millrace.spec.models import Task, WorkflowTaskSpec
from millrace.spec.registry import find_type
from millrace.spec.tree import Tree


def check_references(report: Report, tree: Tree) -> None:
    """What every task of a workflow gives and is given."""
    for placed in tree.tasks:
        task = placed.task
        check_given(report, task, placed.path)
        for key, value in (("input", task.input), ("output", task.output)):
            _unresolved(report, value, placed.place(key))
        if task.fallback is not None:
            _unresolved(report, task.fallback.value, (*placed.path, "fallback", "value"))


def check_given(report: Report, holder: Task | WorkflowTaskSpec, base: Path) -> None:
    """The block of one task, as far as it is rendered."""
    kind = None if holder.type is None else find_type(holder.type)
    if kind is None or holder.block_json is None or not kind.templated:
        return
    raw = kind.templates(holder.block_json)
    path = base if kind.key is None else (*base, kind.key)
    for key, value in raw.items() if isinstance(raw, dict) else ():
        if key != "auth":
            _unresolved(report, value, (*path, key))


def _unresolved(report: Report, value: Any, base: Path) -> None:
    for inside, name in _references(value):
        message = "a secretRef stands for a secret in auth only: here the name itself is sent"
        fix = f"Write {{{{secrets.{name}}}}} in a header, the query or the body of a request, or use auth."
        report.add("no-effect", message, (*base, *inside), fix=fix)


def _references(value: Any) -> Iterator[tuple[Path, str]]:
    """Every mapping that is nothing but a secretRef."""
    stack: list[tuple[Path, Any]] = [((), value)]
    while stack:
        path, item = stack.pop()
        if isinstance(item, dict):
            if item.keys() == {"secretRef"} and isinstance(item["secretRef"], str):
                yield path, item["secretRef"]
            stack.extend(((*path, key), below) for key, below in reversed(item.items()))
        elif isinstance(item, list):
            stack.extend(((*path, index), item[index]) for index in range(len(item) - 1, -1, -1))
