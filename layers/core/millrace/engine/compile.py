"""From a checked workflow and the reusable tasks it names to the plan that is walked.

The scopes of expressions and the dependencies are those of `millrace.spec`, so that what was checked is what runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from millrace.engine.compile_task import Inside, node_of, read_paths, slot_plan, task_ids
from millrace.engine.plan import (
    Body,
    Node,
    Plan,
)
from millrace.engine.rules import EARLY
from millrace.engine.transforms import TransformPlan, compile_transform
from millrace.expr import ReadPath, Scope, compile_template
from millrace.spec import Task, Workflow, WorkflowTask
from millrace.spec.dependencies import entries, graphs_of
from millrace.spec.models import FALLBACK, FINALLY, ON_FAILURE
from millrace.spec.sites import Sites, body_scopes, workflow_sites
from millrace.spec.tree import Body as TreeBody
from millrace.spec.tree import Placed, tree_of


def compile_plan(workflow: Workflow, tasks: Mapping[str, WorkflowTask], *, hashes: Mapping[str, str]) -> Plan:
    """The plan of a workflow without error findings. ``tasks`` and ``hashes`` are by the text of each ``taskRef``.

    Raises KeyError for a reference that ``tasks`` does not hold.
    """
    return _Compiler(workflow, tasks, hashes).plan()


def compile_tasks(
    documents: Sequence[Task],
    tasks: Mapping[str, WorkflowTask],
    *,
    hashes: Mapping[str, str],
    scope: Scope,
    workflow: str,
) -> Body:
    """The body of tasks that were made at run time, each labelled with its position. ``scope`` is what they may read.

    Raises KeyError for a reference that ``tasks`` does not hold.
    """
    needs = {
        task.id: tuple(sorted({need.task for need in task.depends_on} | set(task_ids(read_paths(task, scope)))))
        for task in documents
    }
    index = {task.id: position for position, task in enumerate(documents)}
    below = _below(needs, index)
    nodes = tuple(
        node_of(
            task,
            at,
            f"[{at}]/{task.id}",
            needs[task.id],
            index,
            below[at],
            scope,
            tasks,
            hashes,
            Inside((), None, workflow),
        )
        for at, task in enumerate(documents)
    )
    return Body(nodes, index, tuple(index))


class _Compiler:
    """One workflow on its way to a plan: its tree, its graphs, the scope of each body."""

    def __init__(self, workflow: Workflow, tasks: Mapping[str, WorkflowTask], hashes: Mapping[str, str]) -> None:
        self._workflow = workflow
        self._tasks = tasks
        self._hashes = hashes
        self._tree = tree_of(workflow)
        sites = workflow_sites(workflow, _steps, self._tree)
        self._graphs = graphs_of(workflow, self._tree, sites)
        self._scopes = body_scopes(workflow, self._tree)
        self._state, self._state_reads = _state_entries(workflow, sites)
        self._outer = self._outer_reads(sites)

    def plan(self) -> Plan:
        workflow, spec, scope = self._workflow, self._workflow.spec, self._scopes[0]
        output = None if spec.output is None else compile_template(spec.output, scope=scope)
        paths: Iterable[ReadPath] = () if output is None else output.paths
        state = self._state_of(paths)
        body = self._body(0)
        ends = {found.name: self._body(found.index) for found in self._tree.bodies[1:] if found.owner is None}
        return Plan(
            nodes=body.nodes,
            index=body.index,
            leaves=body.leaves,
            workflow=workflow.metadata.name,
            parallel_limit=spec.parallel_limit,
            timeout_ms=spec.timeout,
            output=output,
            output_reads=self._reads(paths, state),
            output_state=state,
            config=spec.config,
            state={name: compile_template(spec.state[name], scope=scope) for name in self._state},
            slot=slot_plan(spec.concurrency, workflow.metadata.name, scope),
            slots=spec.concurrency is not None or any(one.task.concurrency for one in self._tree.tasks),
            on_failure=ends.get(ON_FAILURE),
            at_end=ends.get(FINALLY),
        )

    def _body(self, at: int) -> Body:
        tree, body = self._tree, self._tree.bodies[at]
        placed = [tree.tasks[index] for index in body.tasks]
        index = {one.task.id: position for position, one in enumerate(placed)}
        needs = {one.task.id: self._graphs[at].needs.get(one.task.id, ()) for one in placed}
        below = _below(needs, index)
        nodes = tuple(self._placed(one, position, needs, index, below, body) for position, one in enumerate(placed))
        leaves = tuple(one.task.id for position, one in enumerate(placed) if not below[position])
        return Body(nodes, index, leaves, tuple(sorted(self._outer[at])), body.name)

    def _placed(
        self,
        placed: Placed,
        position: int,
        needs: Mapping[str, tuple[str, ...]],
        index: Mapping[str, int],
        below: list[list[int]],
        body: TreeBody,
    ) -> Node:
        task = placed.task
        inner = {self._tree.bodies[one].name: self._body(one) for one in placed.inner}
        stand_in = inner.pop(FALLBACK, None)
        scope = self._scopes[placed.body]
        paths = read_paths(task, scope)
        label = "" if body.single else task.id if placed.body == 0 else f"/{task.id}"
        if body.single and body.owner is not None:
            label = f"/{body.name}"
        state = self._state_of(paths)
        return replace(
            node_of(
                task,
                position,
                label,
                needs[task.id],
                index,
                below[position],
                scope,
                self._tasks,
                self._hashes,
                Inside(
                    tuple(inner.values()),
                    stand_in,
                    self._workflow.metadata.name,
                    limited=self._workflow.spec.parallel_limit is not None or task.trigger_rule in EARLY,
                ),
            ),
            reads=self._reads(paths, state),
            state=state,
        )

    def _state_of(self, paths: Iterable[ReadPath]) -> tuple[str, ...]:
        """The entries of the state that paths read, and those that these read, in the order of computation."""
        wanted = {name for path in paths if path.root == "state" for name in entries(path, self._state)}
        for name in reversed(self._state):
            if name in wanted:
                wanted |= {
                    below
                    for path in self._state_reads[name]
                    if path.root == "state"
                    for below in entries(path, self._state)
                }
        return tuple(name for name in self._state if name in wanted)

    def _reads(self, paths: Iterable[ReadPath], state: Iterable[str]) -> tuple[str, ...]:
        through = {path for name in state for path in self._state_reads[name]}
        return task_ids({*paths, *through})

    def _outer_reads(self, sites: Sites) -> list[set[str]]:
        """For each body, the ids of tasks outside it that are read inside."""
        tree = self._tree
        found: list[set[str]] = [set() for _ in tree.bodies]
        reads = [(site.task, one.path) for site in sites.sites for one in site.expression.reads]
        reads += [(at, path) for at, _, path in sites.step_reads]
        for at, path in reads:
            name = path.segments[0] if path.root == "tasks" and path.segments else None
            if at is None or not isinstance(name, str):
                continue
            place = tree.lookup(tree.tasks[at].body, name)
            for body in tree.around(tree.tasks[at].body) if place is not None else ():
                if place is not None and body.index == place[0].index:
                    break
                found[body.index].add(name)
        return found


def _below(needs: Mapping[str, tuple[str, ...]], index: Mapping[str, int]) -> list[list[int]]:
    """Which tasks wait for each."""
    found: list[list[int]] = [[] for _ in index]
    for name, above in needs.items():
        for need in above:
            found[index[need]].append(index[name])
    return found


def _state_entries(workflow: Workflow, sites: Sites) -> tuple[list[str], dict[str, list[ReadPath]]]:
    """The entries of the state, each after those that it reads, and what each reads."""
    reads: dict[str, list[ReadPath]] = {name: [] for name in workflow.spec.state}
    for site in sites.sites:
        if site.use == "state":
            reads[str(site.path[2])] += [one.path for one in site.expression.reads]
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            for path in reads[name]:
                if path.root == "state":
                    for below in entries(path, reads):
                        visit(below)
            order.append(name)

    for name in reads:
        visit(name)
    return order, reads


def _steps(steps: Any, scope: Scope) -> TransformPlan:
    return compile_transform(list(steps), scope=scope)
