"""Checks of how much a workflow can become: loops whose items are known to be too many.

Only what the document tells is counted: lists that are written out, and arrays whose schema says how many items they
can have. The engine counts the rest while it runs.
"""

from __future__ import annotations

from typing import Final

from millrace.base.limits import ITERATIONS, TASK_INSTANCES
from millrace.spec.checks.report import Report
from millrace.spec.environment import Environments
from millrace.spec.findings import Severity
from millrace.spec.shapes import count_of
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.generate import Generate
from millrace.spec.tree import Tree

_FIX: Final = "Split the list, or start workflows of their own for its parts."


def check_sizes(report: Report, tree: Tree, environments: Environments) -> None:
    """Loops with more items, and workflows with more instances of tasks, than an execution can have. A list that is
    written out has all its items for sure; what a schema allows may be less in the end."""
    most: dict[int, int] = {}
    for placed in reversed(tree.tasks):  # those inside a task stand behind it
        block = placed.task.block
        inner = [sum(most[index] for index in tree.bodies[body].tasks) for body in placed.inner]
        if not isinstance(block, ForEach):
            most[placed.index] = 1 + (block.max if isinstance(block, Generate) else max(inner, default=0))
            continue
        counted = count_of(environments.items(placed, block))
        count, sure = counted if counted is not None else (1, True)
        severity: Severity = "error" if sure else "warning"
        word = "has" if sure else "may have"
        path = (*placed.path, "forEach", "items")
        most[placed.index] = 1 + count * inner[0] + sum(inner[1:])
        if count > ITERATIONS:
            message = f"the loop {word} {count} items, more than {ITERATIONS}"
            report.add("too-many-instances", message, path, fix=_FIX, severity=severity)
        elif most[placed.index] > TASK_INSTANCES:
            message = f"the loop {word} {most[placed.index]} tasks in all, more than {TASK_INSTANCES}"
            report.add("too-many-instances", message, path, fix=_FIX, severity=severity)
            most[placed.index] = 0  # said once, for the innermost loop that is too large
