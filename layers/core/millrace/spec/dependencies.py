"""Which task waits for which: what its expressions read, and what `dependsOn` adds.

A task waits for tasks of its own body. What something inside it reads from the bodies around, it waits for itself, so
that everything an inner task can read is there when its body begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from millrace.expr import Read, ReadPath
from millrace.spec.models import Workflow, WorkflowTask
from millrace.spec.sites import Sites, TransformCheck, workflow_sites
from millrace.spec.tree import Body, Tree, tree_of

MOST_THROUGH_STATE: Final = 200_000
"""Reads of tasks through entries of `state`, every reader counted: a few texts can mean millions of them."""


def dependencies(
    workflow: Workflow,
    tasks: Mapping[str, WorkflowTask] | None = None,
    *,
    check_transform: TransformCheck | None = None,
) -> dict[str, tuple[str, ...]]:
    """For every task id of the workflow's own list, in document order, the ids it waits for, without repeats, in
    document order.

    ``tasks`` is what `check_workflow` takes; a reusable task cannot read the workflow's tasks, so it adds nothing.
    Ids that the workflow does not have are left out. Linear in tasks and references.
    """
    del tasks
    tree = tree_of(workflow)
    return graphs_of(workflow, tree, workflow_sites(workflow, check_transform, tree))[0].needs


class Graph(Struct, frozen=True):
    """``needs`` of every id of a body; ``firm`` are those of them that always hold (read, or an unconditional
    dependsOn). ``whole`` says that none was left out because of their number."""

    needs: dict[str, tuple[str, ...]]
    firm: dict[str, frozenset[str]]
    whole: bool = True


def graphs_of(workflow: Workflow, tree: Tree, sites: Sites) -> tuple[Graph, ...]:
    """The graph of each body of a workflow whose expressions have been compiled."""
    read: list[set[int]] = [set() for _ in tree.tasks]
    firm: list[set[int]] = [set() for _ in tree.tasks]
    state = state_reads(workflow, sites)
    left = MOST_THROUGH_STATE
    for at, path, guarded in _reads(sites):
        if path.root == "tasks":
            _note(tree, at, tree.tasks[at].body, path, read, None if guarded else firm)
        for name in entries(path, state) if path.root == "state" else ():
            left -= len(state[name])
            for one, loose in state[name].items() if left >= 0 else ():
                # an expression of the state stands in the workflow's own scope, whoever reads it
                _note(tree, at, 0, one, read, None if guarded or loose else firm)
    for placed in tree.tasks:
        for need in placed.task.depends_on:
            found = tree.bodies[placed.body].ids.get(need.task)
            if found is not None:
                read[placed.index].add(found)
                if need.condition is None:
                    firm[placed.index].add(found)
    return tuple(_graph(tree, body, read, firm, whole=left >= 0) for body in tree.bodies)


def _reads(sites: Sites) -> Iterator[tuple[int, ReadPath, bool]]:
    for site in sites.sites:
        if site.task is not None:
            for one in site.expression.reads:
                yield site.task, one.path, one.guarded
    for at, _, path in sites.step_reads:
        yield at, path, False


def state_reads(workflow: Workflow, sites: Sites) -> dict[str, dict[ReadPath, bool]]:
    """What each entry of `state` reads of tasks, directly and through other entries, and whether only in a way that
    lets it be missing."""
    direct: dict[str, list[Read]] = {name: [] for name in workflow.spec.state}
    for site in sites.sites:
        if site.use == "state":
            direct[str(site.path[2])] += site.expression.reads
    return {name: _closure(name, direct) for name in direct}


def _closure(name: str, direct: Mapping[str, list[Read]]) -> dict[ReadPath, bool]:
    found: dict[ReadPath, bool] = {}
    seen, stack = {(name, False)}, [(name, False)]
    while stack:
        entry, loose = stack.pop()
        for read in direct[entry]:
            guarded = loose or read.guarded
            if read.path.root == "tasks":
                found[read.path] = guarded and found.get(read.path, True)
            for inner in entries(read.path, direct) if read.path.root == "state" else ():
                if (inner, guarded) not in seen:
                    seen.add((inner, guarded))
                    stack.append((inner, guarded))
    return found


def entries(path: ReadPath, known: Iterable[str]) -> list[str]:
    """The entries of `state` that a path below it reads: one by name, or all of them."""
    head = path.segments[0] if path.segments else None
    return [name for name in known if head == name or not isinstance(head, str)]


def _note(tree: Tree, at: int, body: int, path: ReadPath, read: list[set[int]], firm: list[set[int]] | None) -> None:
    """Task ``at`` reads ``path`` inside ``body``: it, or the task around it in the body of what is read, waits."""
    name = path.segments[0] if path.segments else None
    found = tree.lookup(body, name) if isinstance(name, str) else None
    if found is None:
        return
    where, need = found
    waiter = tree.holder(at, where.index)
    if waiter is None:
        return  # a handler at the end of the workflow waits for everything
    read[waiter].add(need)
    if firm is not None:
        firm[waiter].add(need)


def _graph(tree: Tree, body: Body, read: list[set[int]], firm: list[set[int]], *, whole: bool) -> Graph:
    needs: dict[str, tuple[str, ...]] = {}
    always: dict[str, frozenset[str]] = {}
    for name, index in body.ids.items():
        needs[name] = tuple(tree.tasks[need].task.id for need in sorted(read[index]))
        always[name] = frozenset(tree.tasks[need].task.id for need in firm[index])
    return Graph(needs, always, whole)


def leaves(body: Body, graph: Graph) -> tuple[str, ...]:
    """The ids of a body that no other task of it waits for: their outputs are the output of the body."""
    waited = {need for needs in graph.needs.values() for need in needs}
    return tuple(name for name in body.ids if name not in waited)
