"""Workflows that start themselves on every run, directly or through others, so that nothing but a limit ends them.

A call counts only where every run makes it: one that a condition, a rule or a case may leave out can end the ring, and
so can one per item, since there may be none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from millrace.spec.checks.report import Report
from millrace.spec.dependencies import graphs_of
from millrace.spec.models import FINALLY, Workflow
from millrace.spec.outcomes import Outcomes, outcomes_of
from millrace.spec.sites import workflow_sites
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import Placed, Tree, tree_of

_SURE: Final = frozenset({"there", "may-fail"})
_EXACT: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+.*|r[0-9]+")
_MAJOR: Final = re.compile(r"[\^~=]?([0-9]+)(?:\.[0-9]+){0,2}")


def check_recursion(
    report: Report,
    workflow: Workflow,
    tree: Tree,
    outcomes: tuple[Outcomes, ...],
    workflows: Mapping[str, Workflow],
) -> None:
    """``workflows`` maps references to what they mean, those of other workflows included as far as they are known."""
    seen: set[str] = set()
    for placed, reference in _sure(tree, outcomes):
        ring = _ring(workflow, reference, workflows, seen)
        if ring is not None:
            way = f" through {' → '.join(ring)}" if ring else ""
            message = f"the workflow starts itself{way}, without a condition that ends it"
            report.add("endless-recursion", message, placed.place("workflowRef"), fix="Give the task a condition.")


def sure_calls(workflow: Workflow) -> list[str]:
    """The references to other workflows that every run of this one starts, unless it fails before."""
    tree = tree_of(workflow)
    if not any(isinstance(placed.task.block, SubWorkflow) for placed in tree.tasks):
        return []
    sites = workflow_sites(workflow, None, tree)
    return [reference for _, reference in _sure(tree, outcomes_of(tree, graphs_of(workflow, tree, sites), sites))]


def _sure(tree: Tree, outcomes: tuple[Outcomes, ...]) -> Iterator[tuple[Placed, str]]:
    for placed in tree.tasks:
        body = tree.bodies[placed.body]
        block = placed.task.block
        always = body.owner is None and body.name in ("", FINALLY)
        if always and isinstance(block, SubWorkflow) and outcomes[body.index].at_end(placed.task.id) in _SURE:
            yield placed, block.workflow_ref


def _ring(workflow: Workflow, reference: str, workflows: Mapping[str, Workflow], seen: set[str]) -> list[str] | None:
    """The names between the workflow and itself, beginning with ``reference``; None where that does not lead back.
    ``seen`` are references known not to."""
    way: list[str] = []
    stack: list[Iterator[str]] = [iter([reference])]
    while stack:
        one = next(stack[-1], None)
        if one is None:
            stack.pop()
            del way[len(stack) - 1 :]
        elif _means(one, workflow):
            return way
        elif one in workflows and one not in seen:
            seen.add(one)
            way.append(one.partition("@")[0])
            stack.append(iter(sure_calls(workflows[one])))
    return None


def _means(reference: str, workflow: Workflow) -> bool:
    """Whether a reference will lead to this version once it is published, as far as the text tells."""
    name, _, selector = reference.partition("@")
    label = workflow.spec.version
    if name != workflow.metadata.name or selector == label:
        return name == workflow.metadata.name
    if _EXACT.fullmatch(selector):
        return False
    major = _MAJOR.fullmatch(selector)
    return major is None or label is None or major[1] == label.partition(".")[0]
