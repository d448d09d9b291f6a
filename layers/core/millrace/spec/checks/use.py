"""Hints about tasks that run for nothing, or without an end, as often as there are items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from millrace.spec.checks.report import Report
from millrace.spec.dependencies import Graph, leaves
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.registry import find_type
from millrace.spec.sites import Sites
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tree import Placed, Tree


def check_use(
    report: Report,
    workflow: Workflow,
    tree: Tree,
    sites: Sites,
    graphs: Sequence[Graph],
    tasks: Mapping[str, WorkflowTask],
) -> None:
    """Pure tasks whose result nobody reads, and effects that nothing of the document limits in time."""
    read = _read(tree, sites)
    for body, graph in zip(tree.bodies, graphs, strict=True):
        own = body.index == 0 and workflow.spec.output is not None
        for name in set(body.ids) - (set() if own else set(leaves(body, graph))):
            placed = tree.tasks[body.ids[name]]
            if read is not None and placed.index not in read and _computes(placed, tasks):
                message = f'nobody reads the output of the task "{name}", which does nothing else'
                report.add("unused-output", message, placed.place("id"), fix="Read it, or take the task out.")
    if workflow.spec.timeout is not None:
        return
    limited: set[int] = set()
    looped: set[int] = set()
    for placed in tree.tasks:  # a task stands before those inside it
        owner = tree.bodies[placed.body].owner
        document = tasks.get(placed.task.task_ref) if placed.task.task_ref is not None else None
        work = placed.task if document is None else document.spec
        if placed.task.timeout or placed.task.attempt_timeout or work.timeout or work.attempt_timeout:
            limited.add(placed.index)
        if owner is not None:
            limited |= {placed.index} if owner in limited else set()
            if owner in looped or isinstance(tree.tasks[owner].task.block, ForEach):
                looped.add(placed.index)
        kind = find_type(work.type) if work.type is not None else None
        if kind is None or kind.waits or placed.index in limited:
            continue
        effect = kind.effect(work.block)
        if placed.index in looped and effect != "pure":
            message = f'the task "{placed.task.id}" runs for every item, and nothing limits how long it takes'
            fix = "Add timeout to it, to the loop, or to the workflow."
            report.add("no-timeout", message, placed.path, fix=fix, severity="hint")
        elif effect in ("write", "unknown"):
            message = f'the task "{placed.task.id}" may change something, and it has no timeout of its own'
            fix = "Add timeout to it, or to the workflow: where it ends in doubt, something may have happened or not."
            report.add("no-timeout", message, placed.path, fix=fix, severity="hint")


def _computes(placed: Placed, tasks: Mapping[str, WorkflowTask]) -> bool:
    """Whether a task does nothing but put out what it computes; one without items is there to be waited for."""
    if placed.task.input == {"items": []}:
        return False
    document = tasks.get(placed.task.task_ref) if placed.task.task_ref is not None else None
    kind = find_type((placed.task.type if document is None else document.spec.type) or "")
    return kind is not None and kind.steps


def _read(tree: Tree, sites: Sites) -> set[int] | None:
    """The tasks of which anything is read; None where that is not known, since one is read by a computed name."""
    found: set[int] = set()
    reads = [(site.task, one.path) for site in sites.sites for one in site.expression.reads]
    reads += [(at, path) for at, _, path in sites.step_reads]
    for at, path in reads:
        if path.root != "tasks":
            continue
        name = path.segments[0] if path.segments else None
        if not isinstance(name, str):
            return None
        place = tree.lookup(0 if at is None else tree.tasks[at].body, name)
        if place is not None:
            found.add(place[1])
    return found
