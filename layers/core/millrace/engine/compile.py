"""From a checked workflow and the reusable tasks it names to the plan that is walked.

The scopes of expressions and the dependencies are those of `millrace.spec`, so that what was checked is what runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from millrace.base.canonical import content_hash
from millrace.base.errors import TransformError
from millrace.base.limits import ATTEMPT_TIMEOUT_MS, DEFAULT_ATTEMPT_TIMEOUT_MS
from millrace.base.scalars import parse_percent
from millrace.engine.plan import (
    NO_RETRY,
    Body,
    Case,
    Compute,
    EdgeCondition,
    FallbackPlan,
    Node,
    Plan,
    RetryPolicy,
    ScopePlan,
    WaitPlan,
)
from millrace.engine.transforms import TransformPlan, compile_transform
from millrace.expr import Expression, ReadPath, Scope, Template, compile_expression, compile_template
from millrace.spec import Retry, Task, Workflow, WorkflowTask, find_type
from millrace.spec.dependencies import entries, graphs_of
from millrace.spec.models import FALLBACK, FINALLY, ON_FAILURE
from millrace.spec.scopes import event_scope, task_scope, with_output, with_roots
from millrace.spec.sites import Sites, body_scopes, workflow_sites
from millrace.spec.tasks.approval import Approval
from millrace.spec.tasks.event import Event
from millrace.spec.tasks.for_each import ForEach
from millrace.spec.tasks.generate import Generate
from millrace.spec.tasks.switch import Switch
from millrace.spec.tasks.wait import Wait
from millrace.spec.tasks.workflow_ref import SubWorkflow
from millrace.spec.tree import Body as TreeBody
from millrace.spec.tree import Placed, tree_of


@dataclass(frozen=True, slots=True)
class _Work:
    """What a task does, wherever that is written: its own block, or that of the reusable task it names."""

    type: str
    block: Any
    block_json: Any
    retry: Retry | None
    timeout: int | None
    attempt_timeout: int | None
    own_scope: bool


def compile_plan(workflow: Workflow, tasks: Mapping[str, WorkflowTask], *, hashes: Mapping[str, str]) -> Plan:
    """The plan of a workflow without error findings. ``tasks`` and ``hashes`` are by the text of each ``taskRef``.

    Raises KeyError for a reference that ``tasks`` does not hold.
    """
    return _Compiler(workflow, tasks, hashes).plan()


def compile_tasks(
    documents: Sequence[Task], tasks: Mapping[str, WorkflowTask], *, hashes: Mapping[str, str], scope: Scope, name: str
) -> Body:
    """The body of tasks that were made at run time, each labelled with its position. ``scope`` is what they may read.

    Raises KeyError for a reference that ``tasks`` does not hold.
    """
    needs = {
        task.id: tuple(sorted({need.task for need in task.depends_on} | set(_task_ids(_paths(task, scope)))))
        for task in documents
    }
    index = {task.id: position for position, task in enumerate(documents)}
    below = _below(needs, index)
    nodes = tuple(
        _node(
            task, at, f"[{at}]/{task.id}", needs[task.id], index, below[at], scope, tasks, hashes, _Inside((), None, {})
        )
        for at, task in enumerate(documents)
    )
    return Body(nodes, index, tuple(index), (), name)


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
        paths = _paths(task, scope)
        label = "" if body.single else task.id if placed.body == 0 else f"/{task.id}"
        if body.single and body.owner is not None:
            label = f"/{body.name}"
        state = self._state_of(paths)
        return replace(
            _node(
                task,
                position,
                label,
                needs[task.id],
                index,
                below[position],
                scope,
                self._tasks,
                self._hashes,
                _Inside(tuple(inner.values()), stand_in, self._tasks),
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
        return _task_ids({*paths, *through})

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


@dataclass(frozen=True, slots=True)
class _Inside:
    """What is compiled already of what stands inside a task, and the reusable tasks it may generate."""

    bodies: tuple[Body, ...]
    stand_in: Body | None
    tasks: Mapping[str, WorkflowTask]


def _paths(task: Task, scope: Scope) -> set[ReadPath]:
    """Everything that a task's own expressions read in the scope of its body."""
    kind = find_type(task.type) if task.type is not None else None
    found: set[ReadPath] = set()
    templates = [(task.input, scope), (task.output, with_output(scope))]
    if task.fallback is not None:
        templates.append((task.fallback.value, with_roots(scope, "error")))
    conditions = [(task.condition, scope), *((need.condition, scope) for need in task.depends_on)]
    if kind is not None and task.block_json is not None:
        if kind.steps:
            found |= compile_transform(list(task.block_json), scope=scope).paths
        elif kind.templated:
            templates.append((kind.templates(task.block_json), scope))
        inner = with_roots(scope, kind.condition_root)
        conditions += [(source, inner) for _, source in kind.conditions(task.block)]
    for value, where in templates:
        if value:
            found |= compile_template(value, scope=where).paths
    for source, where in conditions:
        expression = _condition(source, where)
        if expression is not None:
            found |= expression.paths
    return found


def _node(
    task: Task,
    position: int,
    label: str,
    needs: tuple[str, ...],
    index: Mapping[str, int],
    dependents: Sequence[int],
    scope: Scope,
    tasks: Mapping[str, WorkflowTask],
    hashes: Mapping[str, str],
    inside: _Inside,
) -> Node:
    work = _work(task, tasks)
    inner = task_scope(tasks[task.task_ref].spec.input_schema) if task.task_ref is not None else scope
    kind = find_type(work.type)
    assert kind is not None  # a document with an unknown type is not published
    config: Template | None = None
    compute: Compute | None = None
    wait: WaitPlan | None = None
    if kind.steps:
        compute = partial(_apply, compile_transform(list(work.block_json), scope=inner))
    elif kind.waits:
        config, wait = _wait(work, inner)
    elif kind.block is not None or kind.composes:
        config = compile_template(kind.templates(work.block_json), scope=inner)
    edges = tuple(
        EdgeCondition(index[need.task], expression)
        for need in task.depends_on
        if (expression := _condition(need.condition, scope)) is not None
    )
    timed = wait is None or wait.kind == "time"
    return Node(
        index=position,
        id=task.id,
        type=work.type,
        label=label,
        effect=kind.effect(work.block),
        needs=tuple(index[need] for need in needs),
        dependents=tuple(dependents),
        reads=_task_ids(_paths(task, scope)),
        priority=task.priority,
        condition=_condition(task.condition, scope),
        edges=edges,
        input=compile_template(task.input, scope=scope) if task.input else None,
        config=config,
        own_scope=work.own_scope,
        compute=compute,
        wait=wait,
        trigger_rule=task.trigger_rule,
        output=None if task.output is None else compile_template(task.output, scope=with_output(scope)),
        retry=_retry(work.retry),
        timeout_ms=work.timeout if timed else None,
        attempt_timeout_ms=min(work.attempt_timeout or DEFAULT_ATTEMPT_TIMEOUT_MS, ATTEMPT_TIMEOUT_MS),
        continue_on_error=task.continue_on_error,
        task_hash=hashes[task.task_ref] if task.task_ref is not None else _own_hash(task),
        scope=scope_plan(work.block, scope, inside.bodies, tasks, hashes),
        fallback=_fallback(task, scope, inside.stand_in),
    )


def _fallback(task: Task, scope: Scope, body: Body | None) -> FallbackPlan | None:
    if task.fallback is None:
        return None
    if body is not None:
        return FallbackPlan(body=body)
    return FallbackPlan(value=compile_template(task.fallback.value, scope=with_roots(scope, "error")))


def scope_plan(
    block: Any,
    scope: Scope,
    bodies: tuple[Body, ...],
    tasks: Mapping[str, WorkflowTask],
    hashes: Mapping[str, str],
) -> ScopePlan | None:
    """What a task that holds tasks does with them; None for any other task."""
    if isinstance(block, Switch):
        inner = with_roots(scope, "value")
        cases = tuple(Case(case.match, _condition(case.when, inner)) for case in block.cases)
        return ScopePlan("switch", bodies=bodies, cases=cases)
    if isinstance(block, ForEach):
        each = block.for_each
        allowed = each.tolerate.failures
        return ScopePlan(
            "forEach",
            bodies=bodies,
            item=each.as_,
            position=each.index,
            max_parallel=each.max_parallel,
            failures=allowed if isinstance(allowed, int) else 0,
            share=None if isinstance(allowed, int) else parse_percent(allowed),
        )
    if isinstance(block, Generate):
        refs = {name: tasks[name] for name in block.task_refs}
        return ScopePlan("generate", most=block.max, refs=refs, hashes={name: hashes[name] for name in refs})
    return None


def _wait(work: _Work, scope: Scope) -> tuple[Template | None, WaitPlan]:
    """What is rendered when the wait begins, and what ends it."""
    block = work.block
    if isinstance(block, Wait):
        return compile_template(work.block_json, scope=scope), WaitPlan("time")
    if isinstance(block, SubWorkflow):
        return None, WaitPlan("child", ref=block.workflow_ref, detached=block.detached, timeout_ms=work.timeout)
    if isinstance(block, Event):
        match = _condition(block.match, event_scope(scope))
        timeout = block.timeout if block.timeout is not None else work.timeout
        return compile_template({"type": block.type}, scope=scope), WaitPlan("event", match=match, timeout_ms=timeout)
    assert isinstance(block, Approval)  # the last of the types that wait
    return None, WaitPlan(
        "approval",
        approvers=block.approvers,
        required=block.required,
        timeout_ms=work.timeout,
        on_timeout=block.on_timeout,
        form=block.form,
    )


def _work(task: Task, tasks: Mapping[str, WorkflowTask]) -> _Work:
    """A task's own policies go before those of the reusable task it names."""
    if task.task_ref is None:
        assert task.type is not None  # one of the two, says the model
        return _Work(
            type=task.type,
            block=task.block,
            block_json=task.block_json,
            retry=task.retry,
            timeout=task.timeout,
            attempt_timeout=task.attempt_timeout,
            own_scope=False,
        )
    spec = tasks[task.task_ref].spec
    return _Work(
        type=spec.type,
        block=spec.block,
        block_json=spec.block_json,
        retry=task.retry or spec.retry,
        timeout=task.timeout or spec.timeout,
        attempt_timeout=task.attempt_timeout or spec.attempt_timeout,
        own_scope=True,
    )


def _own_hash(task: Task) -> str:
    return content_hash({"type": task.type, "block": task.block_json})


def _condition(source: str | bool | None, scope: Scope) -> Expression | None:
    if source is None:
        return None
    return compile_expression(source if isinstance(source, str) else str(source).lower(), scope=scope)


def _retry(retry: Retry | None) -> RetryPolicy:
    if retry is None:
        return NO_RETRY
    return RetryPolicy(
        max_attempts=retry.max_attempts,
        strategy=retry.strategy,
        interval_ms=retry.interval,
        multiplier=retry.multiplier,
        max_interval_ms=retry.max_interval,
        jitter=retry.jitter,
        retry_on=tuple(str(entry) for entry in retry.retry_on or ()),
        max_duration_ms=retry.max_duration,
        respect_retry_after=retry.respect_retry_after,
        declared=True,
    )


def _apply(transform: TransformPlan, value: Any, scope: Mapping[str, Any]) -> Any:
    if not isinstance(value, dict) or "items" not in value:
        raise TransformError("A transform needs input.items.", hint="as in input: {items: …}", facts={"op": "items"})
    return transform.apply(value["items"], scope)


def _task_ids(paths: frozenset[ReadPath] | set[ReadPath]) -> tuple[str, ...]:
    """The ids of the tasks that paths read; every task for a path that reads them by a computed name."""
    return tuple(
        sorted(
            {
                path.segments[0]
                for path in paths
                if path.root == "tasks" and path.segments and isinstance(path.segments[0], str)
            }
        )
    )
