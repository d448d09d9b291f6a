"""Which task waits for which: what its expressions read, and what `dependsOn` adds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.sites import Sites, TransformCheck, workflow_sites


def dependencies(
    workflow: Workflow,
    tasks: Mapping[str, WorkflowTask] | None = None,
    *,
    check_transform: TransformCheck | None = None,
) -> dict[str, tuple[str, ...]]:
    """For every task id, in document order, the ids it waits for, without repeats, in document order.

    ``tasks`` is what `check_workflow` takes; a reusable task cannot read the workflow's tasks, so it adds nothing.
    Ids that the workflow does not have are left out. Linear in tasks and references.
    """
    del tasks
    return graph_of(workflow, workflow_sites(workflow, check_transform)).needs


@dataclass(frozen=True, slots=True)
class Graph:
    """``needs`` of every id; ``firm`` are those of them that always hold (read, or an unconditional dependsOn)."""

    needs: dict[str, tuple[str, ...]]
    firm: dict[str, frozenset[str]]


def graph_of(workflow: Workflow, sites: Sites) -> Graph:
    """The graph of a workflow whose expressions have been compiled."""
    spec = workflow.spec.tasks
    order: dict[str, int] = {}
    for index, task in enumerate(spec):
        order.setdefault(task.id, index)
    read: list[set[str]] = [set() for _ in spec]
    firm: list[set[str]] = [set() for _ in spec]
    for site in sites.sites:
        if site.task is None:
            continue
        for one in site.expression.reads:
            path = one.path
            if path.root == "tasks" and path.segments and isinstance(path.segments[0], str):
                read[site.task].add(path.segments[0])
                if not one.guarded:
                    firm[site.task].add(path.segments[0])
    for at, _, path in sites.step_reads:
        if at is not None and path.root == "tasks" and path.segments and isinstance(path.segments[0], str):
            read[at].add(path.segments[0])
            firm[at].add(path.segments[0])
    needs: dict[str, tuple[str, ...]] = {}
    always: dict[str, frozenset[str]] = {}
    for index, task in enumerate(spec):
        wanted = read[index] | {need.task for need in task.depends_on}
        firm[index] |= {need.task for need in task.depends_on if need.condition is None}
        if order[task.id] == index:
            needs[task.id] = tuple(sorted(wanted & order.keys(), key=order.__getitem__))
            always[task.id] = frozenset(firm[index] & order.keys())
    return Graph(needs, always)
